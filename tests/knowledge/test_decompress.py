"""Bytes of plain, gzip and bzip2 files, whole and broken."""

from __future__ import annotations

import bz2
import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from clir_lightning.errors import DataError
from clir_lightning.knowledge.decompress import Decompressed, Pieces, gzip_decoder

TEXT = b"".join(b"%d line %d\n" % (i, i * i) for i in range(200_000))
FORMS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}


def read(path: Path, skip: int = 0) -> tuple[bytes, str]:
    """What follows the first `skip` bytes, and what is wrong with the end."""
    buffer = memoryview(bytearray(300_000))
    got = []
    with Decompressed(path, 2) as source:
        assert source.skip(skip) == skip if skip else True
        while count := source.readinto(buffer):
            got.append(bytes(buffer[:count]))
            assert 0 <= source.position() <= source.size
        assert source.position() == source.size
        return b"".join(got), source.broken


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_bytes(form: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"  # no ending says what it is
    path.write_bytes(FORMS[form](TEXT))
    assert read(path) == (TEXT, "")
    assert read(path, skip=1_234_567) == (TEXT[1_234_567:], "")


@pytest.mark.parametrize("form", ["gzip", "bzip2"])
def test_members_follow_one_another(form: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"".join(FORMS[form](TEXT[i : i + 300_000]) for i in range(0, len(TEXT), 300_000)))
    assert read(path) == (TEXT, "")

    # The standard library too, of which a decoder reads one member.
    pieces = Pieces(path, gzip_decoder if form == "gzip" else bz2.BZ2Decompressor)
    buffer = memoryview(bytearray(50_000))
    assert b"".join(iter(lambda: bytes(buffer[: pieces.readinto(buffer)]), b"")) == TEXT
    assert pieces.broken == ""


@pytest.mark.parametrize("form", ["gzip", "bzip2"])
@pytest.mark.parametrize("kept", [3, 20, 0.5, 0.99])
def test_what_stands_before_a_missing_tail_is_read(form: str, kept: float, tmp_path: Path) -> None:
    whole = FORMS[form](TEXT)
    path = tmp_path / "dump"
    path.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    got, broken = read(path)
    assert TEXT.startswith(got)
    assert len(got) > 0.8 * kept * len(TEXT) - 900_000 if kept < 1 else got == b""
    assert broken or form == "gzip"  # the parallel reader of gzip takes a missing tail for the end


@pytest.mark.parametrize("form", ["gzip", "bzip2"])
def test_what_stands_before_a_damage_is_read(form: str, tmp_path: Path) -> None:
    whole = bytearray(FORMS[form](TEXT))
    half = len(whole) // 2
    whole[half : half + 2000] = random.Random(1).randbytes(2000)
    path = tmp_path / "dump"
    path.write_bytes(whole)
    got, broken = read(path)
    same = next((i for i, (a, b) in enumerate(zip(got, TEXT, strict=False)) if a != b), len(got))
    assert same > 0.8 * len(TEXT) / 2 - 900_000
    assert broken


def test_a_form_that_is_not_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dump.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"0" * 100)
    with pytest.raises(DataError, match="is zstd; allowed: gzip, bzip2 or plain"):
        Decompressed(path)
