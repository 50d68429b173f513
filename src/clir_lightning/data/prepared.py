"""Folders of prepared data that exist whole or not at all, however many processes make them and whenever one dies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clir_lightning.errors import DataError

MANIFEST = "manifest.json"


def fingerprint(parts: Iterable[bytes | str]) -> str:
    """32 hexadecimal digits that stand for a sequence of parts; their lengths count, so moving a border changes it.

    >>> fingerprint(["ab", "c"]) == fingerprint(["a", "bc"])
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def file_stamp(path: Path) -> str:
    """Name, size and time of change of a file: what tells an unchanged source without reading it."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a prepared folder, after a check that each file has the size that it lists."""
    path = folder / MANIFEST
    cure = f"delete the folder {folder}: it is made again"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sizes = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no readable manifest ({error})", path=path, cure=cure) from error
    for name, size in sizes.items():
        file = folder / name
        got = file.stat().st_size if file.is_file() else "no"
        if got != size:
            raise DataError(f"{got} bytes instead of {size}", path=file, cure=cure)
    return manifest


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest, the last file of a folder; everything before it is on the disk by then."""
    files = {}
    for file in sorted(folder.iterdir()):
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
        files[file.name] = file.stat().st_size
    with open(folder / MANIFEST, "w", encoding="utf-8") as stream:
        json.dump({**content, "files": files}, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process; a file system without locks goes without."""
    with open(path, "w") as stream:
        with suppress(OSError):  # both would build then, and the first rename wins
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def build_once(target: Path, build: Callable[[Path], dict[str, Any]]) -> Path:
    """Return `target`, made by `build(folder)` if it is not there; `build` returns what its manifest shall hold.

    The folder is built beside its place and renamed when whole. A second process waits for the first and takes its
    folder; a crash leaves nothing but a hidden folder that the next builder removes.
    """
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / f".{target.name}.lock"):
            if not target.is_dir():
                for left in target.parent.glob(f".{target.name}.*.partial"):
                    shutil.rmtree(left, ignore_errors=True)
                _build(target, build)
    except OSError as error:
        cure = "set cache to a folder on a disk with room and with the right to write"
        raise DataError(f"cannot be prepared ({error.strerror or error})", path=target, cure=cure) from error
    return target


def _build(target: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        write_manifest(partial, build(partial))
        try:
            os.rename(partial, target)
        except OSError:
            if not target.is_dir():  # otherwise another process was first, on a file system without locks
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
