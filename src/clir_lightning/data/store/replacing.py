"""A folder that is replaced by another in one step: whoever looks finds the old one or the new one, whole."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from clir_lightning.data.store.folders import partial_path, remove_abandoned

T = TypeVar("T")

HERE = -100  # AT_FDCWD: paths as this process sees them
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)  # a folder, a file or a link is there
WITHOUT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # what systems answer that cannot do it, NFS among them
TRIES = 200  # of a writer, of two that put their folders into one place without end
PATIENCE = 20  # times that a reader looks again, a tenth of a second apart where there is nothing to see


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new, hidden folder beside `target`; at the block's end it is on the disk and stands in the place of `target`.

    If the block fails, `target` stays as it was. A crash leaves nothing but a hidden folder that the next call removes.
    Raises `OSError` for a place that cannot be written to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target)
    partial = partial_path(target)
    partial.mkdir()
    try:
        yield partial
        _to_disk(partial)
        _put(partial, target)
        _to_disk(target.parent, entries=False)
    finally:
        remove(partial)  # what was built and failed, or what stood in its place before


def remove(place: Path) -> None:
    """Remove a file, a link or a folder with all that it holds; nothing if there is none."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _to_disk(folder: Path, *, entries: bool = True) -> None:
    """Have the system write a folder's list of names, and the files in it, to the disk."""
    for place in [*(folder.iterdir() if entries else ()), folder]:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put(partial: Path, target: Path) -> None:
    """Move `partial` to `target`; what stood there, if anything, is at `partial` then.

    Another process may do the same at the same time: then one of both is there at the end, and this looks again.
    """
    # A plain rename where nothing stands, an exchange where something does, three renames where there is no exchange.
    for left in reversed(range(TRIES)):
        for way in (os.rename, _exchange, _one_after_the_other):
            try:
                way(partial, target)
                return
            except OSError as error:
                if error.errno not in (*TAKEN, *WITHOUT_EXCHANGE, errno.ENOENT) or not left:
                    raise
                # The place was empty after all, or is again: begin with the plain rename.
                if way is _exchange and error.errno not in WITHOUT_EXCHANGE:
                    break


def _exchange(one: Path, other: Path) -> None:
    """Let two places change names, in one step of the file system. Raises `OSError`, one of the `WITHOUT_EXCHANGE`."""
    rename: Any = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, "there is no renameat2")
    if rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def _one_after_the_other(partial: Path, target: Path) -> None:
    """The same in three steps: for a moment nothing is at `target`, which `unchanged` waits for."""
    aside = partial_path(target)
    os.rename(target, aside)
    try:
        os.rename(partial, target)
    except OSError:
        with suppress(OSError):  # another process may have put its own there
            os.rename(aside, target)
        remove(aside)
        raise
    os.rename(aside, partial)


def restore(target: Path, is_whole: Callable[[Path], bool]) -> None:
    """Put back what a crash in the middle of `_one_after_the_other` left hidden, the newest whole folder of it."""
    if os.path.lexists(target):
        return
    for left in sorted(_hidden(target), key=lambda place: place.stat().st_mtime, reverse=True):
        if is_whole(left):
            os.rename(left, target)
            return


def _hidden(target: Path) -> list[Path]:
    """Unfinished or replaced folders beside `target`."""
    return [place for place in target.parent.glob(".*.partial") if place.name.startswith(f".{target.name}.")]


def unchanged(folder: Path, read: Callable[[Path], T]) -> T:
    """What `read(folder)` gives of one and the same folder: if it is replaced meanwhile, it is read again.

    An error of `read` is raised if the folder has not been replaced.
    """
    for left in reversed(range(PATIENCE)):
        before = identity(folder)
        try:
            found = read(folder)
        except Exception:
            # Between two renames nothing is there, and something hidden beside it.
            absent = before is None and bool(_hidden(folder))
            if not left or (not absent and identity(folder) == before):
                raise
            time.sleep(0.1 if absent else 0)
            continue
        if identity(folder) == before or not left:
            return found
    raise AssertionError("the last round returns or raises")


def identity(folder: Path) -> tuple[int, int, int] | None:
    """What tells a folder from a later one of its name; `None` where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
