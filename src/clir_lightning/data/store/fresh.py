"""Folders that others read: written where nothing is in the way, and whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clir_lightning.data.store.folders import partial_path, remove_abandoned
from clir_lightning.data.store.listing import listed
from clir_lightning.errors import DataError

SHOWN = 5
PARTIAL = "new"


def check_free(path: str | Path, but: Path | None = None) -> None:
    """`DataError` unless `path` is an empty folder or nothing yet: other files would be read with those written.

    What lies at `but` is the caller's own.
    """
    target = Path(path)
    if not target.is_dir():
        if target.exists():
            raise DataError("is a file", path=target, cure="give the path of a new or empty folder")
        return
    remove_abandoned(target / PARTIAL)
    held = [entry.name for entry in listed(target) if entry != but]
    if held:
        names = ", ".join(held[:SHOWN]) + (f" and {len(held) - SHOWN} more" if len(held) > SHOWN else "")
        raise DataError(f"is not empty, it holds {names}", path=target, cure="give a new folder, or empty this one")


@contextmanager
def fresh_folder(path: str | Path, last: str) -> Iterator[Path]:
    """A folder to write into; its files move to `path` when all are whole, `last`, which readers look for, last."""
    target = Path(path)
    check_free(target)
    new = not target.is_dir()
    partial = partial_path(target / PARTIAL)
    try:
        partial.mkdir(parents=True)
        check_free(target, but=partial)  # again: of two that begin at the same moment each sees the other now
        yield partial

        # A reader that finds `last` finds everything else.
        for entry in sorted(partial.iterdir(), key=lambda entry: entry.name == last):
            os.rename(entry, target / entry.name)
    except OSError as error:
        cure = "give a folder on a disk with room and with the right to write"
        raise DataError(f"cannot be written ({error.strerror or error})", path=target, cure=cure) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if new:
            with suppress(OSError):  # it is not empty once all went well
                target.rmdir()
