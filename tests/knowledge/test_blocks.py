"""A dump in blocks of whole lines: no line is parted, lost or read twice, however long."""

from __future__ import annotations

import io
import random

import pytest

from clir_lightning.knowledge.blocks import Blocks


class Dripping(io.BytesIO):
    """Gives fewer bytes than it is asked for, as decompression does."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return super().readinto(buffer[: 1 + self.tell() % 37])


def blocks(data: bytes, size: int, longest: int) -> list[tuple[bytes, int, bool]]:
    got = []
    with Blocks(3, size, longest) as places:
        for block in places.cut(Dripping(data), 1000):
            got.append((places.memory[block.start : block.stop], block.end, block.too_long))
            places.free(block.slot)
    return got


def test_blocks_end_with_lines() -> None:
    got = blocks(b"aa\nbbb\ncccc\nd", 8, 100)
    assert got == [(b"aa\nbbb\n", 1007, False), (b"cccc\nd", 1013, False)]


def test_a_long_line_is_one_block_and_a_too_long_one_none() -> None:
    long = b"x" * 30 + b"\n"
    got = blocks(b"aa\n" + long + b"b\n" + b"y" * 500 + b"\n" + b"c\n", 8, 40)
    assert [(text, too_long) for text, _, too_long in got if text or too_long] == [
        (b"aa\n", False),
        (long, False),
        (b"b\n", False),
        (b"", True),
        (b"c\n", False),
    ]
    assert got[-1][1] == 1000 + 3 + 31 + 2 + 501 + 2


@pytest.mark.parametrize("seed", range(60))
def test_all_lines_come_back(seed: int) -> None:
    draws = random.Random(seed)
    lines = [draws.randbytes(draws.choice((0, 1, 5, 20, 60))).replace(b"\n", b" ") + b"\n" for _ in range(60)]
    data = b"".join(lines)[: -1 if seed % 2 else None]
    got = blocks(data, draws.choice((1, 4, 16, 61, 5000)), 64)
    assert b"".join(text for text, _, _ in got) == data
    assert all(text.endswith(b"\n") for text, _, _ in got[:-1] if text)
    assert got[-1][1] == 1000 + len(data)


def test_a_too_long_last_line_without_an_end() -> None:
    got = blocks(b"a\n" + b"y" * 500, 8, 40)
    assert [(text, too_long) for text, _, too_long in got if text or too_long] == [(b"a\n", False), (b"", True)]
    assert got[-1][1] == 1502
