"""Processes that parse the blocks of a dump and write their rows, and the one that hands blocks out to them."""

from __future__ import annotations

import gc
import mmap
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from clir_lightning.errors import DataError
from clir_lightning.knowledge.blocks import Block, Blocks
from clir_lightning.knowledge.dump import DumpRows
from clir_lightning.knowledge.rows import Rows

AHEAD = 2  # blocks that a process has at most, so that none waits for its next
DEFECTS = 20  # that are told of a block


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was in a block, and the first of its defects by line, from 0."""

    slot: int
    lines: int
    counts: dict[str, int]
    defects: list[tuple[int, str]]


def parse(memory: mmap.mmap, block: Block, gathered: DumpRows, rows: Rows) -> Parsed:
    """Write the rows of a block's lines."""
    defects: list[tuple[int, str]] = []
    start = block.start
    lines = 0
    while start < block.stop:
        stop = memory.find(b"\n", start, block.stop)
        if stop < 0:
            stop = block.stop
        if (what := gathered.read(memory[start:stop])) and len(defects) < DEFECTS:
            defects.append((lines, what))
        start = stop + 1
        lines += 1

    # Tables are written whole.
    for table, data in gathered.tables().items():
        rows.add(table, data)
    counts = gathered.counts.copy()
    gathered.counts = dict.fromkeys(counts, 0)
    return Parsed(block.slot, lines, counts, defects)


def work(connection: Connection, descriptor: Any, size: int, folder: Path, settings: tuple[Sequence[str], str]) -> None:
    """A process' life: part after part, each begun by its number and ended by `None`; and the end by `None`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that hands out ends this one
    gc.disable()  # parsed lines hold no circles, and looking for some takes a tenth of the time
    gathered = DumpRows(*settings)
    with mmap.mmap(descriptor.detach(), size, prot=mmap.PROT_READ) as memory, suppress(EOFError, BrokenPipeError):
        while (number := connection.recv()) is not None:
            with Rows(folder, number) as rows:
                while (block := connection.recv()) is not None:
                    connection.send(parse(memory, block, gathered, rows))
            connection.send(number)


@dataclass
class _Worker:
    process: Any
    connection: Connection
    blocks: int = 0  # that it has


@dataclass
class Tally:
    """What the blocks since the last part held, in the dump's order."""

    order: dict[int, int] = field(default_factory=dict)  # by a slot, the number of the block in it
    parsed: dict[int, Parsed] = field(default_factory=dict)  # by the number of the block
    handed: int = 0

    def close(self, line: int) -> tuple[Counter[str], list[tuple[int, str]], int]:
        """Sums of the counts, the first defects by their line in the dump, and how many lines that were.

        `line` is how many lines came before.
        """
        counts: Counter[str] = Counter()
        defects = []
        before = line
        for number in sorted(self.parsed):
            block = self.parsed[number]
            counts.update(block.counts)
            defects += [(line + place + 1, what) for place, what in block.defects]
            line += block.lines
        self.parsed.clear()
        return counts, defects[:DEFECTS], line - before


class Crew:
    """Processes that parse: `begin(number)`, blocks by `hand`, `finish()`, again and again."""

    def __init__(self, count: int, blocks: Blocks, folder: Path, settings: tuple[Sequence[str], str]) -> None:
        self._blocks = blocks
        self.tally = Tally()
        self.workers = []
        context = get_context("spawn")  # a fork would share the reader's threads' locks
        for _ in range(count):
            near, far = context.Pipe()
            told = (far, DupFd(blocks.descriptor), len(blocks.memory), folder, settings)
            process = context.Process(target=work, args=told, daemon=True)
            process.start()
            far.close()
            self.workers.append(_Worker(process, near))

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.connection.close()  # ends its life
        for worker in self.workers:
            worker.process.join()

    def begin(self, number: int) -> list[int]:
        """Each process begins a part, the first this number and the others those that follow; all numbers."""
        numbers = [number + place for place in range(len(self.workers))]
        for worker, part in zip(self.workers, numbers, strict=True):
            self._send(worker, part)
        return numbers

    def hand(self, block: Block) -> None:
        """Give a block to the process that has fewest, and wait until the next block will find a place."""
        self.tally.order[block.slot] = self.tally.handed
        self.tally.handed += 1
        if block.too_long:
            self._done(Parsed(block.slot, 1, {"defective": 1}, [(0, "too long a line")]))
        else:
            worker = min(self.workers, key=lambda worker: worker.blocks)
            worker.blocks += 1
            self._send(worker, block)
        while self._blocks.full:
            self._hear()

    def finish(self) -> None:
        """All blocks are parsed and the parts are on the disk when this returns."""
        for worker in self.workers:
            self._send(worker, None)
        left = len(self.workers)
        while left:
            left -= self._hear()

    def _hear(self) -> int:
        """Take what processes say; how many have finished their part."""
        finished = 0
        ready = wait([worker.connection for worker in self.workers])
        for worker in self.workers:
            if worker.connection in ready:
                try:
                    said = worker.connection.recv()
                except (EOFError, OSError):
                    raise self._lost(worker) from None
                if isinstance(said, Parsed):
                    worker.blocks -= 1
                    self._done(said)
                else:
                    finished += 1
        return finished

    def _done(self, parsed: Parsed) -> None:
        self.tally.parsed[self.tally.order[parsed.slot]] = parsed
        self._blocks.free(parsed.slot)

    def _send(self, worker: _Worker, what: Block | int | None) -> None:
        try:
            worker.connection.send(what)
        except OSError:
            raise self._lost(worker) from None

    def _lost(self, worker: _Worker) -> DataError:
        worker.process.join(5)
        cure = "if memory ran out, give fewer workers; the same command goes on from the last finished part"
        return DataError(f"a process that parses has ended (code {worker.process.exitcode})", cure=cure)
