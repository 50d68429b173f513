"""What lies in a cache: every entry that this package wrote, with its size, its last use and what it is of."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clir_lightning.data.store.folders import ABANDONED, PARTIAL, is_abandoned
from clir_lightning.data.store.holding import is_at, note_of
from clir_lightning.data.store.listing import listed

# Folder of a cache → what its entries are called: fingerprints, with what stands before and after them.
FOLDER = re.compile(r"([a-z]+-)?[0-9a-f]{16,32}")
KINDS: dict[str, re.Pattern[str]] = {
    "collections": FOLDER,
    "tokens": FOLDER,
    "encoders": FOLDER,
    "vectors": FOLDER,
    "indexes": FOLDER,
    "lucene": FOLDER,
    "baselines": FOLDER,
    "scores": FOLDER,
    "topics": FOLDER,
    "knowledge": FOLDER,
    "translations": re.compile(r"[0-9a-f]{32}\.sqlite"),
    "auto": re.compile(r"[0-9a-f]{32}\.json"),
}
LOCK = re.compile(r"\.((?:[a-z]+-)?[0-9a-f]{16,32})(\.\d+-of-\d+)?\.lock")  # of the making of an entry
BESIDE = re.compile(r"[0-9a-f]{32}\.(json|sqlite-(journal|wal|shm))")  # what belongs to a file
UNFINISHED = re.compile(r"\.([0-9a-f]{16,32})\.\d+\.unfinished")

# States of an entry; one without any can go.
IN_USE = "in use"
BUILDING = "being built"
UNREADABLE = "no permission"
LEFT_OVER = "left over"  # by a process that was killed
DAMAGED = "damaged"
UNFINISHED_STATE = "unfinished"  # goes on where it stopped when it is asked for again
KEPT = (IN_USE, BUILDING, UNREADABLE)
RUBBISH = (LEFT_OVER, DAMAGED)


@dataclass(frozen=True)
class Entry:
    """One thing that can go as a whole. `used` is seconds since 1970, `size` bytes."""

    path: Path
    kind: str
    of: str
    size: int
    used: float
    state: str = ""


@dataclass(frozen=True)
class Inventory:
    """The entries of a cache, and how many files and folders lie in it that are not this package's."""

    entries: list[Entry]
    others: int

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.entries)


def inventory(cache: Path) -> Inventory:
    """What lies in a cache, none where there is no such folder; what vanishes while it is read is left out."""
    entries: list[Entry] = []
    others = 0
    for home in listed(cache):
        if home.name not in KINDS or not home.is_dir():
            others += 1
            continue
        for path in listed(home):
            entry = _entry(path, home.name)
            if not os.path.lexists(path):
                continue
            if entry is not None:
                entries.append(entry)
            elif not LOCK.fullmatch(path.name) and not BESIDE.fullmatch(path.name):
                others += 1
    return Inventory(sorted(entries, key=lambda entry: (-entry.size, entry.path.name)), others)


def _entry(path: Path, kind: str) -> Entry | None:
    """What lies at a path as an entry; nothing if it is none of this package's, or gone."""
    # A link leads to where somebody put it by hand.
    try:
        status = path.lstat()
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return None

    # Unfinished work is known by its name.
    if UNFINISHED.fullmatch(path.name) and kind == "vectors":
        return Entry(path, kind, "", size_of(path), status.st_mtime, _state_of_unfinished(path))
    if PARTIAL.fullmatch(path.name):
        state = LEFT_OVER if is_abandoned(path) else BUILDING
        return Entry(path, kind, "", size_of(path), status.st_mtime, state)
    if not KINDS[kind].fullmatch(path.name) or stat.S_ISDIR(status.st_mode) != (KINDS[kind] is FOLDER):
        return None

    # A whole one says what it is of.
    note, state = read_note(path, kind)
    return Entry(path, kind, told(note), size_of(path), status.st_mtime, state or _state(path, status))


def read_note(path: Path, kind: str) -> tuple[dict[str, Any], str]:
    """An entry's note, and its state if that is told by it."""
    try:
        note = json.loads(note_of(path).read_text(encoding="utf-8"))
        return (note, "") if isinstance(note, dict) else ({}, DAMAGED)
    except PermissionError:
        return {}, UNREADABLE
    except (OSError, ValueError):
        # Scores and translations of earlier versions have none, and do without.
        return {}, "" if kind in ("scores", "translations") else DAMAGED


def told(note: dict[str, Any]) -> str:
    """What an entry is of, by its note; in those of earlier versions by what else they tell."""
    if "about" in note:  # of a trial
        about = note["about"]
        return f"{about.get('model')} in {about.get('precision')}, rows of {about.get('row')}, {about.get('device')}"
    known = (note.get(name) for name in ("of", "name", "tokenizer", "model", "recipe", "analyser", "source"))
    return next((str(value) for value in known if value), "")


def size_of(place: Path, until: float | None = None) -> int:
    """Bytes of a file, or of all files in a folder; counting ends at the time `until` of the `monotonic` clock."""
    with suppress(OSError):
        if not stat.S_ISDIR(place.lstat().st_mode):
            return place.lstat().st_size
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
        if until is not None and time.monotonic() > until:
            break
    return total


def _state(path: Path, status: os.stat_result) -> str:
    with alone(note_of(path)) as (free, works):
        if not free:
            return IN_USE
    # Where locks tell nothing, what has been used lately counts as in use.
    if not works and stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime < ABANDONED:
        return IN_USE
    return ""


def _state_of_unfinished(path: Path) -> str:
    """Whether one of the processes that encode it is at work."""
    for lock in shard_locks(path):
        with alone(lock) as (free, _):
            if not free:
                return BUILDING
    return UNFINISHED_STATE


def shard_locks(path: Path) -> list[Path]:
    """The locks of the processes that work on unfinished vectors."""
    found = UNFINISHED.fullmatch(path.name)
    return listed(path.parent, f".{found[1]}.*-of-*.lock") if found else []


@contextmanager
def alone(lock: Path) -> Iterator[tuple[bool, bool]]:
    """Within, this process holds a lock that nobody shares. Yields whether it got it, and whether locks work here.

    Where there are no locks, and where there is no such file, nobody can be seen to hold it. One that is removed while
    it is taken, and perhaps made anew and held by another, is not got.
    """
    try:
        descriptor = _opened(lock)
    except FileNotFoundError:
        yield True, True
        return
    except OSError:
        yield False, True
        return

    # Not waited for: whoever shares it may do so for days.
    try:
        works = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = is_at(descriptor, lock)
        except OSError as error:
            works = isinstance(error, BlockingIOError)
            free = not works
        yield free, works
    finally:
        os.close(descriptor)


def _opened(lock: Path) -> int:
    """A file's descriptor, to be written by where that is allowed: a network's locks may ask for it."""
    with suppress(PermissionError):
        return os.open(lock, os.O_RDWR)
    return os.open(lock, os.O_RDONLY)
