"""A collection's vectors in a memory-mapped file, filled block by block by any number of processes, killed or not."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from clir_lightning.data.columns import map_array
from clir_lightning.data.prepared import MANIFEST, locked, read_manifest, write_manifest
from clir_lightning.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]  # [N, P]
BLOCK = 4096  # texts whose vectors are written at a time: what a killed encoding loses at most


@dataclass(frozen=True)
class Shard:
    """Which blocks a process encodes: those whose number leaves the rest `number` when divided by `count`."""

    number: int = 0
    count: int = 1

    @classmethod
    def of(cls, text: str | None) -> Shard:
        """A shard as a setting gives it.

        >>> Shard.of("1/4")
        Shard(number=1, count=4)
        """
        if text is None:
            return cls()
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
            raise ConfigError(f"shard is {text!r}; allowed: 0/N to N-1/N for N processes, such as 0/4")
        return cls(int(number), int(count))


class UnfinishedError(DataError):
    """This process's blocks are encoded, those of others are not."""


def stored_vectors(
    place: Path,
    rows: int,
    width: int,
    encode: Callable[[NDArray[np.int64]], Vectors],
    *,
    shard: Shard | None = None,
    block: int = BLOCK,
    about: dict[str, Any] | None = None,
) -> Vectors:
    """The vectors `[N, P]` of `rows` texts from the folder `place`, mapped into memory; encoded if they are not there.

    `encode` maps row numbers `[n]` to vectors `[n, P]`. Until the folder is whole it lies beside its place, where an
    encoding that was killed goes on behind its last finished block. With a `shard` this process encodes its own blocks
    alone, and the last of the processes completes the folder; the others raise `UnfinishedError`.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    shard = shard or Shard()
    if not place.is_dir():
        partial = place.with_name(f".{place.name}.{block}.unfinished")
        try:
            with locked(place.parent / f".{place.name}.{shard.number}-of-{shard.count}.lock"):
                _fill(place, partial, (rows, width, block), encode, shard)
                missing = _complete(place, partial, about or {})
        except OSError as error:
            cure = "make room or set cache to another folder, and start again: what is encoded stays"
            raise DataError(f"cannot be written ({error.strerror or error})", path=place, cure=cure) from error
        if missing:
            problem = f"shard {shard.number}/{shard.count} is encoded, {missing} blocks of others are not"
            raise UnfinishedError(problem, cure="when all shards are done, the command without shard goes on")
    manifest = read_manifest(place)
    return np.asarray(map_array(place / "vectors.npy")).reshape(manifest["rows"], manifest["width"])


def _fill(
    place: Path, partial: Path, size: tuple[int, int, int], encode: Callable[[NDArray[np.int64]], Vectors], shard: Shard
) -> None:
    """Encode this shard's blocks that nobody has encoded; a block counts as finished once it is on the disk."""
    rows, width, block = size
    with locked(place.parent / f".{place.name}.lock"):
        if place.is_dir():
            return
        _create(partial, rows, width, block)
    vectors = np.lib.format.open_memmap(partial / "vectors.npy", mode="r+")
    finished = np.lib.format.open_memmap(partial / "finished.npy", mode="r+")
    own = range(shard.number, len(finished), shard.count)
    todo = [number for number in own if not finished[number]]
    if len(todo) < len(own):
        log.info("%d of %d blocks are encoded already: going on behind them", len(own) - len(todo), len(own))
    with tqdm(desc="encoding documents", total=len(todo) * block, unit=" texts", leave=False) as bar:
        for number in todo:
            part = np.arange(number * block, min((number + 1) * block, rows))
            vectors[part] = encode(part)
            vectors.flush()
            finished[number] = 1
            finished.flush()
            bar.update(len(part))


def _create(partial: Path, rows: int, width: int, block: int) -> None:
    """The empty files, unless they are there; `finished.npy` appears last."""
    if (partial / "finished.npy").is_file():
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    np.lib.format.open_memmap(partial / "vectors.npy", mode="w+", dtype=np.float32, shape=(rows, width)).flush()
    np.save(partial / "new.npy", np.zeros(-(-rows // block), np.uint8))
    os.replace(partial / "new.npy", partial / "finished.npy")


def _complete(place: Path, partial: Path, about: dict[str, Any]) -> int:
    """Put the folder into its place when every block is finished; returns how many are not."""
    with locked(place.parent / f".{place.name}.lock"):
        if place.is_dir():
            return 0
        finished = np.load(partial / "finished.npy")
        missing = int((finished == 0).sum())
        if not missing:
            rows, width = np.load(partial / "vectors.npy", mmap_mode="r").shape
            (partial / MANIFEST).unlink(missing_ok=True)  # of a process that died between the next two lines
            write_manifest(partial, {"kind": "vectors", "rows": rows, "width": width, **about})
            os.rename(partial, place)
        return missing
