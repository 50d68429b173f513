"""`KeptScores`: a pass's scores on the disk while it runs, so that a pass that was killed goes on where it was.

A pass is known by a fingerprint of all that decides its scores, which is its folder's name: nothing is ever taken from
a pass with other weights, texts, candidates, batches or precision. Finished steps are written every `seconds` seconds
as one block: a file that appears whole, with a checksum, and is never changed. Two programs that score the same at the
same time write blocks of their own names, with the same numbers in them, and so do not harm each other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.folders import partial_path
from clir_lightning.data.store.holding import hold, release, write_note
from clir_lightning.data.store.listing import listed

log = logging.getLogger(__name__)

Steps = NDArray[np.int64]
Values = NDArray[np.float32]

SECONDS = 30.0  # what a killed pass loses at most
FORGOTTEN = 30 * 24 * 3600.0  # seconds after which nobody goes on with a pass
CHECKSUM = 16  # bytes


class KeptScores:
    """The blocks of one pass.

    Args:
        cache: the folder that `scores/FINGERPRINT/` lies in.
        fingerprint: of all that decides the scores.
        seconds: between two blocks.
        of: what people are told that the pass scores.
    """

    def __init__(self, cache: str | Path, fingerprint: str, seconds: float = SECONDS, *, of: str = "") -> None:
        self.folder = Path(cache).expanduser() / "scores" / fingerprint
        self.seconds = seconds
        self.of = of
        self._steps: list[int] = []
        self._values: list[Values] = []
        self._written = time.monotonic()

    def blocks(self) -> Iterator[tuple[Steps, Values]]:
        """The steps `[n]` of each whole block and the scores of their pairs, end to end; warns of damaged ones."""
        hold(self.folder)
        for path in listed(self.folder, "*.scores"):
            block = self._read(path)
            if block is not None:
                yield block
            elif path.exists():  # another program that scores the same may have completed it, and removed its blocks
                log.warning("%s is damaged: its pairs are scored again", path)

    def add(self, step: int, values: Values) -> None:
        """Take in a step's scores; a block is written when it is time."""
        self._steps.append(step)
        self._values.append(values)
        if time.monotonic() - self._written >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write what has come since the last block; a disk that is full stops no pass."""
        self._written = time.monotonic()
        if not self._steps:
            return
        try:
            self._write(np.array(self._steps, np.int64), np.concatenate(self._values))
        except OSError as error:
            log.warning("scores are not kept in %s (%s): if it is killed, it cannot go on", self.folder, error)
        self._steps = []
        self._values = []

    def remove(self) -> None:
        """The pass is complete, and its result in its place: remove its blocks, and those of passes long forgotten."""
        shutil.rmtree(self.folder, ignore_errors=True)
        release(self.folder)
        with suppress(OSError):
            for other in self.folder.parent.iterdir():
                if time.time() - other.stat().st_mtime > FORGOTTEN:
                    shutil.rmtree(other, ignore_errors=True)

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:08d}-{secrets.token_hex(4)}.scores"

    def _checksum(self, content: bytes) -> bytes:
        return hashlib.blake2b(self.folder.name.encode() + content, digest_size=CHECKSUM).digest()

    def _write(self, steps: Steps, values: Values) -> None:
        """A block: checksum, number of steps, steps, scores."""
        head = np.array([len(steps)], "<i8").tobytes()
        content = head + steps.astype("<i8").tobytes() + values.astype("<f4").tobytes()
        target = self._path(int(steps[0]))
        partial = partial_path(target)

        # Another program that scores the same may have completed it, and removed the folder, at any moment.
        self.folder.mkdir(parents=True, exist_ok=True)
        write_note(self.folder, {"kind": "scores", "of": self.of})
        hold(self.folder)
        try:
            with open(partial, "wb") as stream:
                stream.write(self._checksum(content) + content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def _read(self, path: Path) -> tuple[Steps, Values] | None:
        """A block's steps and scores; nothing of one that is not whole."""
        with suppress(OSError, ValueError):
            whole = path.read_bytes()
            content = whole[CHECKSUM:]
            if whole[:CHECKSUM] == self._checksum(content):
                count = int(np.frombuffer(content, "<i8", 1)[0])
                steps = np.frombuffer(content, "<i8", count, offset=8)
                return steps.astype(np.int64), np.frombuffer(content, "<f4", offset=8 + 8 * count).astype(np.float32)
        return None


class Collected:
    """One score per pair, of the pass so far: this process's, those that were kept, and at the end everyone's.

    Args:
        pairs: how many there are.
        of: the pairs `[n]` that a step scores, in the order of its scores.
        steps: how many there are.
        kept: the blocks, if there are any.
    """

    def __init__(self, pairs: int, of: Callable[[int], NDArray[np.int64]], steps: int, kept: KeptScores | None) -> None:
        self._of = of
        self._steps = steps
        self._kept = kept

        # The smallest of all bit patterns stands for a score that is not there: any other is greater.
        self.bits = np.full(pairs, np.iinfo(np.int32).min, np.int32)

    @property
    def values(self) -> Values:
        """The scores `[N]`."""
        return self.bits.view(np.float32)

    def read(self) -> NDArray[np.bool_]:
        """Take in the kept scores; which steps `[S]` are done with them."""
        done = np.zeros(self._steps, np.bool_)
        for steps, values in self._kept.blocks() if self._kept is not None else ():
            numbers = [self._of(step) for step in steps.tolist() if step < self._steps]
            if sum(map(len, numbers)) == len(values) and len(numbers) == len(steps):
                self.values[np.concatenate(numbers)] = values
                done[steps] = True
        return done

    def add(self, step: int, values: Values) -> None:
        """Take in a step's scores, `[n]`."""
        self.values[self._of(step)] = values
        if self._kept is not None:
            self._kept.add(step, values)

    def flush(self) -> None:
        """Keep what is there."""
        if self._kept is not None:
            self._kept.flush()
