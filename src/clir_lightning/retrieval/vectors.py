"""A collection's vectors in a memory-mapped file, made of blocks by any number of processes, killed or not."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.columns import map_array
from clir_lightning.data.store.folders import build_once, locked, partial_path, read_manifest
from clir_lightning.data.store.holding import hold
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.progress import Progress
from clir_lightning.scoring.text_encoder import Vectors

log = logging.getLogger(__name__)

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

    def blocks(self, count: int) -> range:
        """The numbers of its blocks, of `count` ones."""
        return range(self.number, count, self.count)


class UnfinishedError(DataError):
    """This process's blocks are encoded, those of others are not."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of `[rows, width]` vectors that are encoded so far, one file each: no two processes write to one file.

    A block is there when its file has its whole size; it gets its name when it is on the disk.
    """

    folder: Path
    rows: int
    width: int
    block: int

    def __len__(self) -> int:
        return -(-self.rows // self.block)

    def span(self, number: int) -> NDArray[np.int64]:
        """The rows `[n]` of a block."""
        return np.arange(number * self.block, min((number + 1) * self.block, self.rows))

    def path(self, number: int) -> Path:
        """A block's file: its vectors as they lie in memory."""
        return self.folder / f"{number:08d}.float32"

    def there(self, number: int) -> bool:
        """Whether a block is encoded."""
        size = len(self.span(number)) * self.width * np.dtype(np.float32).itemsize
        with suppress(OSError):
            return self.path(number).stat().st_size == size
        return False

    def write(self, number: int, vectors: Vectors) -> None:
        """Put a block's vectors `[n, P]` into its place, whole."""
        whole = np.ascontiguousarray(vectors, np.float32).reshape(len(self.span(number)), self.width)
        partial = partial_path(self.path(number))
        self.folder.mkdir(exist_ok=True)  # a prune may have removed it before it saw this process
        try:
            with open(partial, "wb") as stream:
                stream.write(whole.data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, self.path(number))
        finally:
            partial.unlink(missing_ok=True)

    def merge(self, file: Path) -> None:
        """Write all blocks into one array file `[rows, width]`."""
        head = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (self.rows, self.width)}
        with open(file, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, head)
            for number in range(len(self)):
                with open(self.path(number), "rb") as part:
                    shutil.copyfileobj(part, stream)


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

    `encode` maps row numbers `[n]` to vectors `[n, P]`. Until all blocks are there they lie beside the place, where an
    encoding that was killed goes on behind its last one; then they are put together, for which the disk holds them
    twice. With a `shard` this process encodes its own blocks alone, and the last of the processes completes the folder;
    the others raise `UnfinishedError`.
    """
    shard = shard or Shard()
    blocks = Blocks(place.with_name(f".{place.name}.{block}.unfinished"), rows, width, block)

    # The folder may appear at any moment: several processes work towards it, some of them without locks.
    while not hold(place):
        try:
            _encode(place, blocks, encode, shard)
            _complete(place, blocks, shard, about or {})
        except OSError as error:
            if not place.is_dir():  # otherwise another process completed it and removed the blocks
                cure = "make room or set cache to another folder, and start again: what is encoded stays"
                raise DataError(f"cannot be written ({error.strerror or error})", path=place, cure=cure) from error

    # Whole: the blocks have done their work.
    shutil.rmtree(blocks.folder, ignore_errors=True)
    manifest = read_manifest(place)
    return np.asarray(map_array(place / "vectors.npy")).reshape(manifest["rows"], manifest["width"])


def _encode(place: Path, blocks: Blocks, encode: Callable[[NDArray[np.int64]], Vectors], shard: Shard) -> None:
    """Encode this shard's blocks that nobody has encoded."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.parent / f".{place.name}.{shard.number}-of-{shard.count}.lock"):
        if place.is_dir():
            return
        own = shard.blocks(len(blocks))
        todo = [number for number in own if not blocks.there(number)]
        if len(todo) < len(own):
            log.info("%d of %d blocks are encoded already: going on behind them", len(own) - len(todo), len(own))
        total = sum(len(blocks.span(number)) for number in todo)
        with Progress("encoding documents", "texts", total) as progress:
            for number in todo:
                span = blocks.span(number)
                if place.is_dir():  # without locks another process may be done with all of them
                    return
                if not blocks.there(number):  # or with this one
                    blocks.write(number, encode(span))
                progress.advance(len(span))


def _complete(place: Path, blocks: Blocks, shard: Shard, about: dict[str, Any]) -> None:
    """Put the blocks together in their place; `UnfinishedError` if others' are not there."""
    missing = [number for number in range(len(blocks)) if not blocks.there(number)]
    if any(number in shard.blocks(len(blocks)) for number in missing):
        return  # pruned meanwhile, or all of them completed by another process
    if missing and not place.is_dir():
        problem = f"shard {shard.number}/{shard.count} is encoded, {len(missing)} blocks of others are not"
        raise UnfinishedError(problem, cure="when all shards are done, the command without shard goes on")

    def build(folder: Path) -> dict[str, Any]:
        blocks.merge(folder / "vectors.npy")
        return {"kind": "vectors", "rows": blocks.rows, "width": blocks.width, **about}

    build_once(place, build)
