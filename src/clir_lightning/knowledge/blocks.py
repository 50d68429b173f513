"""A dump cut into blocks of whole lines, in memory that the reading process shares with those that parse."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

SIZE = 1 << 22  # bytes of a block, nearly
LONGEST = 1 << 26  # bytes of the longest line that is read; an entity of Wikidata has four million at most


class Bytes(Protocol):
    """What blocks are cut from."""

    def readinto(self, buffer: memoryview) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: where they lie in the shared memory, and where in the dump.

    Args:
        slot: the place among those of the shared memory, for `Blocks.free`.
        start: of the lines in the shared memory.
        stop: behind their last byte.
        end: bytes of the dump up to there.
        too_long: whether it stands for a line of more than `LONGEST` bytes, which is left out.
    """

    slot: int
    start: int
    stop: int
    end: int
    too_long: bool = False


def shared_file(size: int) -> int:
    """A file without a name, in memory where the system has such files; its descriptor."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("clir-blocks")
    else:
        with tempfile.TemporaryFile() as stream:
            descriptor = os.dup(stream.fileno())
    os.ftruncate(descriptor, size)  # pages are there from when they are written
    return descriptor


class Blocks:
    """Shared memory of so many places, and the blocks of a dump in it, one after the other.

    Args:
        count: of the places; an iteration waits for none, so `free` must have made room for the next block.
        size: bytes of a block.
        longest: bytes of the longest line.
    """

    def __init__(self, count: int, size: int = SIZE, longest: int = LONGEST) -> None:
        self.size = size
        self.room = size + longest  # of a place; what no line needs takes no memory
        self.descriptor = shared_file(count * self.room)
        self.memory = mmap.mmap(self.descriptor, count * self.room)
        self._free = deque(range(count))

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *error: object) -> None:
        self.memory.close()
        os.close(self.descriptor)

    @property
    def full(self) -> bool:
        """Whether no place is free."""
        return not self._free

    def free(self, slot: int) -> None:
        """A block has been parsed."""
        self._free.append(slot)

    def cut(self, source: Bytes, end: int = 0) -> Generator[Block, None, None]:
        """The blocks of what `source` reads from now on; `end` is how much of the dump came before."""
        rest = b""
        more = True
        with memoryview(self.memory) as view:
            while more:
                # The beginning of a line that the block before had no end of, and as much as makes a block.
                slot = self._free.popleft()
                start = slot * self.room
                limit = start + self.size
                view[start : start + len(rest)] = rest
                stop = _filled(view, source, start + len(rest), limit)

                # Whole lines go up to the last line's end, which may be far.
                cut = self.memory.rfind(b"\n", start, stop) + 1
                while not cut and stop == limit < start + self.room:
                    limit = min(limit + self.size, start + self.room)
                    before = stop
                    stop = _filled(view, source, before, limit)
                    cut = self.memory.rfind(b"\n", before, stop) + 1

                # The dump's last line may have no end; another without is too long.
                more = stop == limit
                too_long = more and not cut
                if too_long:
                    passed, rest = self._passed(view[start : start + self.size], source)
                    end += stop - start + passed
                    cut = start
                else:
                    cut = cut if more else stop
                    rest = bytes(view[cut:stop])
                    end += cut - start
                yield Block(slot, start, cut, end, too_long)

    def _passed(self, view: memoryview, source: Bytes) -> tuple[int, bytes]:
        """Read on to the end of a line: how many bytes that were, and what was read of the next line."""
        passed = 0
        with view:
            while count := source.readinto(view):
                piece = bytes(view[:count])
                stop = piece.find(b"\n") + 1
                if stop:
                    return passed + stop, piece[stop:]
                passed += count
        return passed, b""


def _filled(view: memoryview, source: Bytes, start: int, limit: int) -> int:
    """Read into `view[start:limit]`; the position behind the last byte, before the limit at the end alone."""
    while start < limit:
        with view[start:limit] as room:
            count = source.readinto(room)
        if not count:
            break
        start += count
    return start
