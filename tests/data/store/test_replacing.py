"""A folder is replaced in one step: readers, crashes, full disks and systems that cannot exchange two names."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clir_lightning.data.store import replacing as module
from clir_lightning.data.store.replacing import remove, replacing, restore, unchanged

PARTS = ("a", "b", "c")


def write(target: Path, text: str) -> None:
    with replacing(target) as partial:
        for name in PARTS:
            (partial / name).write_text(text)


def read(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in PARTS}


def without_exchange(one: Path, other: Path) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize("exchange", [True, False])
def test_the_new_folder_takes_the_place_of_whatever_stands_there(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(module, "_exchange", without_exchange)
    target = tmp_path / "with spaces" / "model"
    write(target, "first")
    (target / "left over").touch()
    write(target, "second")
    assert read(target) == {"second"}
    assert sorted(path.name for path in target.iterdir()) == list(PARTS)

    # A file, an empty folder and a link to another folder, which stays as it is.
    other = tmp_path / "other"
    write(other, "linked")
    makers: list[Callable[[], None]] = [target.touch, target.mkdir, lambda: target.symlink_to(other)]
    for make in makers:
        remove(target)
        make()
        write(target, "third")
        assert read(target) == {"third"}
        assert not target.is_symlink()
    assert read(other) == {"linked"}
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write(target, "good")

    def fail() -> None:
        with replacing(target) as partial:
            (partial / "a").write_text("half")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()
    assert read(target) == {"good"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_crash_between_two_renames_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when nothing is at the target: the newest folder that is whole comes back, and the next call cleans up."""
    target = tmp_path / "model"
    write(target, "good")
    os.rename(target, tmp_path / ".model.host.999999.aaaa.partial")
    (tmp_path / ".model.host.999999.bbbb.partial").mkdir()
    (tmp_path / ".models.host.999999.cccc.partial").mkdir()  # another folder's
    restore(target, lambda folder: (folder / "c").is_file())
    assert read(target) == {"good"}
    restore(target, lambda folder: pytest.fail("it is there"))

    restore(tmp_path / "nothing", lambda folder: True)
    assert not (tmp_path / "nothing").exists()


def test_the_second_rename_failing_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model"
    write(target, "good")
    monkeypatch.setattr(module, "_exchange", without_exchange)
    rename, calls = os.rename, []

    def second_fails(source: Path, place: Path) -> None:
        calls.append(place)
        if len(calls) == 3:  # over the old one, the old one aside, into its place
            raise OSError(errno.EIO, "Input/output error")
        rename(source, place)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output error"):
        write(target, "new")
    assert read(target) == {"good"}


def _write_for_ever(target: Path, exchange: bool) -> None:
    if not exchange:
        module._exchange = without_exchange
    number = 0
    while True:
        write(target, str(number))
        number += 1


@pytest.mark.parametrize("exchange", [True, False])
def test_readers_find_one_whole_folder_while_two_processes_replace_it(exchange: bool, tmp_path: Path) -> None:
    target = tmp_path / "model"
    write(target, "start")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_for_ever, args=(target, exchange)) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        seen: set[str] = set()
        while len(seen) < 30:
            assert all(writer.is_alive() for writer in writers)
            found = unchanged(target, read)
            assert len(found) == 1
            seen |= found
    finally:
        for writer in writers:
            writer.kill()
            writer.join()

    # Killed at any moment, they leave a whole folder, and nothing but hidden ones beside it.
    restore(target, lambda folder: (folder / "c").is_file())
    assert len(read(target)) == 1
    write(target, "end")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_error_of_a_folder_that_stays_is_raised_at_once(tmp_path: Path) -> None:
    calls = []

    def failing(folder: Path) -> None:
        calls.append(folder)
        raise KeyError("no such part")

    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(KeyError, match="no such part"):
            unchanged(place, failing)
    assert len(calls) == 2


def test_what_is_read_of_two_folders_is_read_again(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write(target, "old")
    calls: list[str] = []

    def slow(folder: Path) -> list[str]:
        first = (folder / "a").read_text()
        if not calls:
            write(target, "new")
        calls.append(first)
        return [first, (folder / "b").read_text()]

    assert unchanged(target, slow) == ["new", "new"]
    assert calls == ["old", "new"]


KILLED = """
import os, signal, sys
from pathlib import Path
from clir_lightning.data.store.replacing import replacing
with replacing(Path(sys.argv[1])) as partial:
    (partial / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_a_hidden_folder_that_the_next_removes(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write(target, "good")
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)])
    assert done.returncode == -signal.SIGKILL
    assert read(target) == {"good"}
    assert len(list(tmp_path.glob(".model.*.partial"))) == 1
    write(target, "better")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_everything_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def renamed(source: Path, place: Path) -> None:
        events.append("rename")
        rename(source, place)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write(tmp_path / "model", "text")
    assert sorted(events[:3]) == list(PARTS)
    assert events[3].startswith(".model.")
    assert events[4:] == ["rename", tmp_path.name]
