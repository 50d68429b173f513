"""Which entries of a cache go, and their removal, beside processes that use others or are about to use these."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from clir_lightning.data.store.folders import is_abandoned, partial_path
from clir_lightning.data.store.holding import note_of
from clir_lightning.data.store.inventory import (
    BUILDING,
    IN_USE,
    KEPT,
    KINDS,
    LEFT_OVER,
    LOCK,
    RUBBISH,
    UNFINISHED_STATE,
    Entry,
    alone,
    shard_locks,
)
from clir_lightning.data.store.listing import listed

GONE = "gone"  # another process removed it first
REMOVED = ""


def chosen(
    entries: Sequence[Entry], *, older_than: float | None = None, max_size: int | None = None, now: float | None = None
) -> list[Entry]:
    """The entries to remove, the longest unused first.

    Args:
        entries: all there are; those in use, being built and not readable never go.
        older_than: seconds since the last use, after which an entry goes; `None` for none.
        max_size: bytes that all entries may have together: the longest unused go until they do; `None` for any.
        now: seconds since 1970.

    What killed processes left, and what is damaged, goes in any case.
    """
    now = time.time() if now is None else now
    oldest = sorted((entry for entry in entries if entry.state not in KEPT), key=lambda entry: entry.used)
    remaining = sum(entry.size for entry in entries)

    # Rubbish and what is too old, whatever the size.
    goes = {
        entry.path
        for entry in oldest
        if entry.state in RUBBISH or (older_than is not None and now - entry.used > older_than)
    }
    remaining -= sum(entry.size for entry in oldest if entry.path in goes)

    # As many of the others as it takes; an empty one takes no room.
    for entry in oldest:
        if max_size is not None and remaining > max_size and entry.path not in goes and entry.size:
            goes.add(entry.path)
            remaining -= entry.size
    return [entry for entry in oldest if entry.path in goes]


def remove(entry: Entry) -> str:
    """Remove an entry unless a process has come to use it; returns why it stays, `REMOVED`, or `GONE`."""
    path = entry.path
    if not os.path.lexists(path):
        return GONE
    if entry.state == LEFT_OVER:
        return _without(path) if is_abandoned(path) else BUILDING

    # Under its lock it is moved away, in one step: whoever comes now makes it anew, whoever came before has the lock.
    locks = shard_locks(path) if entry.state == UNFINISHED_STATE else [note_of(path)]
    note = note_of(path)
    aside = partial_path(path)
    try:
        with ExitStack() as held:
            if not all(held.enter_context(alone(lock))[0] for lock in locks):
                return IN_USE if os.path.lexists(path) else GONE
            is_folder = path.is_dir()
            os.rename(path, aside)
            if not is_folder:
                _remove_beside(path, note)

    # It is gone by itself, or it cannot be moved.
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return error.strerror or str(error)
    return _without(aside)


def _remove_beside(file: Path, note: Path) -> None:
    """Remove what belongs to a file that is gone: SQLite's own files, and its note.

    The note goes last: whoever makes the file anew waits for its lock before there is anything of its own.
    """
    for end in ("-journal", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    if note != file:  # one that is its own note may be there again
        note.unlink(missing_ok=True)


def _without(place: Path) -> str:
    """Remove a file or folder that is nobody's; returns what went wrong."""
    try:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return error.strerror or str(error)
    return REMOVED


def remove_stray_locks(cache: Path) -> None:
    """Remove the lock files, of no size, of entries that are not there; one that is held stays."""
    for home in (cache / kind for kind in KINDS):
        for lock in listed(home, ".*.lock"):
            found = LOCK.fullmatch(lock.name)
            if found and not (home / found[1]).exists() and not listed(home, f".{found[1]}.*.unfinished"):
                with alone(lock) as (free, works), suppress(OSError):
                    if free and works:
                        lock.unlink()
