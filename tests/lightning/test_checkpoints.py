"""Checkpoints: whole or not at all, damage found before reading, plain values only, a full disk in one line."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from clir_lightning.errors import DataError
from clir_lightning.lightning.checkpoints import BEFORE, LAST, LastCheckpoint, WholeFileIO, is_whole, newest_whole
from clir_lightning.models.saved import Recipe
from program import HANG, server

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


def test_two_that_write_one_checkpoint_do_not_write_into_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was queued again begins to save while the old one still saves."""
    path = tmp_path / LAST
    save = torch.save

    def overtaken(checkpoint: dict[str, Any], stream: Any) -> None:
        monkeypatch.setattr(torch, "save", save)
        WholeFileIO().save_checkpoint({"weights": torch.zeros(3)}, path)
        save(checkpoint, stream)

    monkeypatch.setattr(torch, "save", overtaken)
    WholeFileIO().save_checkpoint(STATE, path)
    assert is_whole(path)
    assert torch.equal(WholeFileIO().load_checkpoint(path)["weights"], STATE["weights"])
    assert [file.name for file in tmp_path.iterdir()] == [LAST]


def die_while_saving(path: Path) -> None:
    """In a process of its own: killed when the checkpoint is written and not yet in its place."""

    def kill(fd: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = kill
    WholeFileIO().save_checkpoint({"weights": torch.zeros(3)}, path)


def test_what_a_process_leaves_that_was_killed_while_it_saved_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / LAST
    process = server.Process(target=die_while_saving, args=(path,))
    process.start()
    process.join(HANG)
    assert process.exitcode == -signal.SIGKILL
    assert [file.name == LAST for file in tmp_path.iterdir()] == [False]
    WholeFileIO().save_checkpoint(STATE, path)
    assert [file.name for file in tmp_path.iterdir()] == [LAST]


class Saving:
    """As much of a trainer as `LastCheckpoint.save` asks; before it saves, others act."""

    is_global_zero = True
    loggers: tuple[Any, ...] = ()
    global_step = 0

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.act = act

    def save_checkpoint(self, path: Path, weights_only: bool) -> None:
        self.act()
        self.global_step += 1
        WholeFileIO().save_checkpoint({"step": self.global_step}, path)


def test_a_damaged_checkpoint_takes_no_good_ones_place(tmp_path: Path) -> None:
    """A training that went on from `previous.ckpt` is killed while it saves: that file is all there is."""
    for name in (LAST, BEFORE):
        WholeFileIO().save_checkpoint(STATE, tmp_path / name)
    os.truncate(tmp_path / LAST, 1000)
    callback = LastCheckpoint(tmp_path, Recipe({}, {}))
    seen: list[Path | None] = []
    trainer: Any = Saving(lambda: seen.append(newest_whole(tmp_path)))
    callback.save(trainer)
    callback.save(trainer)
    assert seen == [tmp_path / BEFORE, tmp_path / LAST]
    kept = [WholeFileIO().load_checkpoint(tmp_path / name)["step"] for name in (LAST, BEFORE)]
    assert kept == [2, 1]


@pytest.mark.parametrize("links", [True, False])
def test_the_last_checkpoint_can_be_read_while_the_next_is_written(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    callback = LastCheckpoint(tmp_path, Recipe({}, {}))
    there: list[bool] = []
    trainer: Any = Saving(lambda: there.append((tmp_path / LAST).exists()))
    for _ in range(3):
        callback.save(trainer)
    assert there == [False, links, links]
    steps = {name: WholeFileIO().load_checkpoint(tmp_path / name)["step"] for name in (LAST, BEFORE)}
    assert steps == {LAST: 3, BEFORE: 2}
    assert sorted(file.name for file in tmp_path.iterdir()) == [LAST, BEFORE]


def test_a_saving_that_fails_twice_leaves_the_last_good_one_and_nothing_beside_it(tmp_path: Path) -> None:
    callback = LastCheckpoint(tmp_path, Recipe({}, {}))
    callback.save(Saving())  # type: ignore[arg-type]

    def fails() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            callback.save(Saving(fails))  # type: ignore[arg-type]
    assert newest_whole(tmp_path) == tmp_path / LAST
    assert sorted(file.name for file in tmp_path.iterdir()) == [LAST, BEFORE]


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
