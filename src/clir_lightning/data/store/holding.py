"""What this process has open of a cache, told to `clir cache prune` by locks that end with the process.

An entry of a cache is a folder, or a file, and has a note: a JSON file that says what it is of and whose lock is the
entry's. A folder's note is its manifest.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

MANIFEST = "manifest.json"
HELD = 256  # locks of a process at most, each an open file: those asked for last

_held: OrderedDict[Path, int] = OrderedDict()  # note → descriptor of its open file


def note_of(entry: Path) -> Path:
    """Where an entry's note is: in a folder, or beside a file of any other kind.

    >>> note_of(Path("translations/0a.sqlite"))
    PosixPath('translations/0a.json')
    """
    return entry / MANIFEST if entry.is_dir() else entry.with_suffix(".json")


def write_note(entry: Path, content: dict[str, str]) -> None:
    """Write the note of an entry without a manifest, if there is none yet; a cache without room or right has none."""
    note = entry.with_suffix(".json") if entry.suffix else entry / MANIFEST
    with suppress(OSError), open(note, "x", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False)


def hold(entry: Path) -> bool:
    """Keep an entry from being pruned while this process lives; returns whether it is there.

    Its own time of change becomes that of its last use. Where there is no note, no lock or no right, it goes without.
    """
    there = entry.exists()
    note = Path(os.path.abspath(note_of(entry)))
    if note not in _held or not is_at(_held[note], note):
        release(entry)
        _share(note)

    # Whoever prunes moves the entry away under a lock of its own: what is there now stays.
    if not entry.exists():
        release(entry)
        return False
    if there and (note not in _held or is_at(_held[note], note)):
        _keep_newest(note)
        with suppress(OSError):
            os.utime(entry)
        return True
    return hold(entry)  # made by another process only now, or removed and made again


def release(entry: Path) -> None:
    """Give up what `hold` took."""
    descriptor = _held.pop(Path(os.path.abspath(note_of(entry))), None)
    if descriptor is not None:
        os.close(descriptor)


def _share(note: Path) -> None:
    """Take the lock that all who read an entry share."""
    with suppress(OSError):
        descriptor = os.open(note, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError:  # a file system without locks
            os.close(descriptor)
            raise
        _held[note] = descriptor


def _keep_newest(note: Path) -> None:
    if note in _held:
        _held.move_to_end(note)
    while len(_held) > HELD:
        os.close(_held.popitem(last=False)[1])


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of that name: a lock on one that was removed, and made anew, keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
