"""Prepared folders: whole or not there, by any number of processes, with locks and without."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from clir_lightning import progress
from clir_lightning.data.store.folders import (
    ABANDONED,
    build_once,
    is_abandoned,
    locked,
    machine,
    partial_path,
    read_manifest,
)
from clir_lightning.errors import DataError
from clir_lightning.progress import SETTING
from program import HANG

# A builder on a file system without locks: it starts when all are there, and writes slowly enough to be overtaken.
BUILDER = """
import errno, fcntl, os, pathlib, sys, time
def flock(stream, how):
    raise OSError(getattr(errno, sys.argv[3]), "no locks here")
fcntl.flock = flock
from clir_lightning.data.store.folders import build_once
number, target = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def build(folder):
    for part in range(4):
        (folder / f"{part}.txt").write_text(f"part {part}")
        time.sleep(0.02 * (1 + number))
    return {"kind": "test", "builder": number}
(target.parent / f"ready-{number}").touch()
while len(list(target.parent.glob("ready-*"))) < 4:
    time.sleep(0.005)
print((build_once(target, build) / "3.txt").read_text())
"""


def written(folder: Path) -> dict[str, str]:
    (folder / "text").write_text("whole")
    return {"kind": "test"}


@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_four_builders_without_locks_do_not_remove_each_others_folders(tmp_path: Path, error: str) -> None:
    target = tmp_path / "store"
    builders = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(number), str(target), error],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    said = [builder.communicate(timeout=HANG) for builder in builders]
    assert [out for out, _ in said] == ["part 3\n"] * 4, said
    assert read_manifest(target)["builder"] in range(4)
    assert not list(tmp_path.glob("*partial*")) + list(tmp_path.glob(".*partial*"))


def test_a_killed_builder_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "store"
    code = (
        "import pathlib, sys, time\nfrom clir_lightning.data.store.folders import build_once\n"
        "def build(folder):\n    (folder / 'text').write_text('half')\n    print('half', flush=True)\n"
        "    time.sleep(600)\n"
        "build_once(pathlib.Path(sys.argv[1]), build)"
    )
    builder = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True)
    assert builder.stdout is not None
    assert builder.stdout.readline() == "half\n"
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    assert not target.exists()
    assert len(list(tmp_path.glob(".store.*.partial"))) == 1
    assert (build_once(target, written) / "text").read_text() == "whole"
    assert not list(tmp_path.glob(".store.*.partial"))


def test_only_the_folders_of_dead_builders_are_removed(tmp_path: Path) -> None:
    target = tmp_path / "store"
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    places = {
        "own, alive": partial_path(target),
        "own, dead": tmp_path / f".store.{machine()}.{int(done.stdout)}.aa.partial",
        "own, dead, with a suffix": tmp_path / f".store.{machine()}.{int(done.stdout)}.aa.partial.input.partial",
        "another machine's": tmp_path / ".store.elsewhere.1.aa.partial",
        "another machine's, old but written to": tmp_path / ".store.elsewhere.2.aa.partial",
        "another machine's, old": tmp_path / ".store.elsewhere.3.aa.partial",
        "another store's": tmp_path / f".other.{machine()}.{int(done.stdout)}.aa.partial",
    }
    long_ago = tmp_path.stat().st_mtime - ABANDONED - 60
    for name, place in places.items():
        place.mkdir()
        (place / "text").write_text("half")
        if "old" in name:
            os.utime(place / "text", (long_ago, long_ago))
            os.utime(place, (long_ago, long_ago))
    (places["another machine's, old but written to"] / "text").touch()
    build_once(target, written)
    assert [name for name, place in places.items() if place.exists()] == [
        "own, alive",
        "another machine's",
        "another machine's, old but written to",
        "another store's",
    ]


def test_who_comes_second_takes_the_firsts_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another builder finishes, and removes what the second one reads from, in the middle of the second's work."""

    def unlocked(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", unlocked)
    target = tmp_path / "store"

    def overtaken(folder: Path) -> dict[str, str]:
        build_once(target, written)
        raise FileNotFoundError(errno.ENOENT, "gone")

    assert (build_once(target, overtaken) / "text").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith("partial")] == []


def test_an_error_of_the_builder_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    def full(folder: Path) -> dict[str, str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        DataError, match=r"store: cannot be prepared \(No space left on device\); set cache to a folder"
    ):
        build_once(tmp_path / "store", full)
    assert [path.name for path in tmp_path.iterdir()] == [".store.lock"]


def test_a_folder_name_that_is_not_utf8_can_stand_in_a_manifest(tmp_path: Path) -> None:
    name = os.fsdecode(b"data-\xff")
    build_once(tmp_path / "store", lambda folder: {"name": name})
    assert read_manifest(tmp_path / "store")["name"] == name


def test_who_waits_for_another_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "0.02")
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 100.0))  # however long it takes
    caplog.set_level(logging.INFO)
    path = tmp_path / "lock"
    told = threading.Event()
    caplog.handler.addFilter(lambda record: told.set() or True)  # type: ignore[func-returns-value]

    def wait() -> None:
        with locked(path):
            pass

    with locked(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert told.wait(HANG)
    waiting.join(HANG)
    assert caplog.messages[0] == f"waiting for the process that holds {path}: 0:00:00 so far"


@pytest.mark.parametrize("gone", ["", "inner"])
def test_a_folder_that_another_process_removes_while_it_is_looked_at_is_nobodys_left_over(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    partial = partial_path(target)
    (partial / "inner").mkdir(parents=True)
    scandir = os.scandir

    def removed_first(place: str | Path) -> object:
        if Path(place) == partial / gone:
            monkeypatch.undo()
            shutil.rmtree(partial)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", removed_first)
    assert not is_abandoned(partial)
    assert not partial.exists()
