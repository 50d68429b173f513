"""Checkpoints: whole or not at all, damage found before reading, plain values only, a full disk in one line."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from clir_lightning.errors import DataError
from clir_lightning.lightning.checkpoints import BEFORE, LAST, WholeFileIO, is_whole, newest_whole

STATE: dict[str, Any] = {"weights": torch.arange(50_000.0), "step": 3}


def test_a_truncated_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_whole(tmp_path) is None
    for name in (LAST, BEFORE):
        WholeFileIO().save_checkpoint(STATE, tmp_path / name)
    assert newest_whole(tmp_path) == tmp_path / LAST
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[: len(content) // 2])
    assert newest_whole(tmp_path) == tmp_path / BEFORE
    assert "last.ckpt is truncated or damaged" in caplog.text
    (tmp_path / BEFORE).write_bytes(b"")
    with pytest.raises(DataError, match="no whole checkpoint; start anew with resume=null"):
        newest_whole(tmp_path)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / LAST
    WholeFileIO().save_checkpoint(STATE, path)
    assert is_whole(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile",)


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Hostile()}, tmp_path / "x.ckpt")
    with pytest.raises(Exception, match=r"os.system|posix.system"):
        WholeFileIO().load_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    assert not (tmp_path / "hostile").exists()


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / LAST
    WholeFileIO().save_checkpoint(STATE, path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="no space left for the checkpoint; the last good one stays; make room"):
        WholeFileIO().save_checkpoint({"weights": torch.zeros(3)}, path)
    assert torch.equal(WholeFileIO().load_checkpoint(path)["weights"], STATE["weights"])
    assert [file.name for file in tmp_path.iterdir()] == [LAST]


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted without the rights to")
    try:
        WholeFileIO().save_checkpoint(STATE, disk / LAST)
        with pytest.raises(DataError, match="no space left for the checkpoint"):
            WholeFileIO().save_checkpoint({"weights": torch.zeros(50_000)}, disk / LAST)
        assert torch.equal(WholeFileIO().load_checkpoint(disk / LAST)["weights"], STATE["weights"])
        assert [file.name for file in disk.iterdir()] == [LAST]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
