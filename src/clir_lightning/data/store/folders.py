"""Folders of prepared data that exist whole or not at all, however many processes make them and whenever one dies."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from clir_lightning.data.store.holding import MANIFEST, hold, is_at
from clir_lightning.data.store.listing import below
from clir_lightning.errors import DataError
from clir_lightning.progress import stage

PARTIAL = re.compile(r"\..+\.(?P<machine>[0-9a-f]{12})\.(?P<process>\d+)\.\w+\.partial(\..+\.partial)?")
ABANDONED = 7 * 24 * 3600.0  # seconds without a change after which another machine's unfinished work counts as dead


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
    # Sizes alone: they tell a truncated file, and a checksum would read everything at each opening.
    for name, size in sizes.items():
        file = folder / name
        got = file.stat().st_size if file.is_file() else "no"
        if got != size:
            raise DataError(f"{got} bytes instead of {size}", path=file, cure=cure)
    return manifest


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest, the last file of a folder; everything before it is on the disk by then."""
    # Synced, not merely written: a manifest that survives a power cut must not vouch for files that did not.
    files = {}
    for file in sorted(folder.iterdir()):
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
        files[file.name] = file.stat().st_size
    with open(folder / MANIFEST, "w", encoding="utf-8") as stream:
        json.dump({**content, "files": files}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())


@cache
def machine() -> str:
    """What a process number is unique within: this start of this host, and the container in it."""
    parts = [platform.node()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return fingerprint(parts)[:12]


def partial_path(target: Path) -> Path:
    """A hidden place beside `target` that no other process, thread or machine has."""
    return target.with_name(f".{target.name}.{machine()}.{os.getpid()}.{secrets.token_hex(4)}.partial")


def remove_abandoned(target: Path) -> None:
    """Remove what dead processes left at `partial_path(target)`; what a living one is writing stays."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        if is_abandoned(left):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def is_abandoned(partial: Path) -> bool:
    """Whether what lies at a `partial_path` is a dead process's."""
    # The name says whose it is: a process of this machine can be looked up, another's can only age.
    found = PARTIAL.fullmatch(partial.name)
    if found and found["machine"] == machine() and not _alive(int(found["process"])):
        return True
    return time.time() - _last_change(partial) > ABANDONED


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _last_change(place: Path) -> float:
    """When a file, or a folder with all that lies in it, was last written to; a thing that just vanished is new."""
    times = []
    for path in (place, *below(place)):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times, default=time.time())


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock that ends with the process; a file system without locks goes without.

    `waiting` is called before another process is waited for.
    """
    stream = _locked(path, waiting)
    while not is_at(stream.fileno(), path):  # its file was cleared away while it was waited for
        stream.close()
        stream = _locked(path, waiting)
    with stream:
        yield


def _locked(path: Path, waiting: Callable[[], None]) -> IO[str]:
    stream = open(path, "w")  # noqa: SIM115  closed by whoever asks
    with suppress(OSError):  # without locks all of them build, and the first rename wins
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            with stage(f"waiting for the process that holds {path}"):
                fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def build_once(target: Path, build: Callable[[Path], dict[str, Any]]) -> Path:
    """Return `target`, made by `build(folder)` if it is not there; `build` returns what its manifest is to hold.

    The folder is built beside its place, under a name of its own, and renamed when whole. A second process waits for
    the first and takes its folder; on a file system without locks both build, and the later one takes the other's. A
    crash leaves nothing but a hidden folder that the next builder removes. While this process lives, no other prunes
    the folder (`hold`). What the manifest has as `of` tells people what the folder is of (`clir cache list`).
    """
    try:
        while not hold(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with locked(target.parent / f".{target.name}.lock"):
                if not target.is_dir():  # still: another process may have built it while this one waited for the lock
                    remove_abandoned(target)
                    _build(target, build)
    except OSError as error:
        cure = "set cache to a folder on a disk with room and with the right to write"
        raise DataError(f"cannot be prepared ({error.strerror or error})", path=target, cure=cure) from error
    return target


def _build(target: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    partial = partial_path(target)
    partial.mkdir()
    try:
        write_manifest(partial, build(partial))
        os.rename(partial, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
