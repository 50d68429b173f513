"""What a prune leaves alone when other processes, other prunes among them, act at the same moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.store.folders import locked
from clir_lightning.data.store.holding import write_note
from clir_lightning.data.store.inventory import IN_USE, inventory
from clir_lightning.data.store.pruning import GONE, REMOVED, remove, remove_stray_locks
from data.store.test_holding import another_process
from data.store.test_inventory import key, made


def before_the_lock(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Have others act when a lock's file is opened and the lock not yet taken, once."""
    flock = fcntl.flock

    def late(descriptor: Any, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        act()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)


def test_an_entry_that_is_made_anew_and_held_while_its_lock_is_taken_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another prune was first, and then a training came."""
    folder = made(tmp_path / "tokens" / key(1))
    [entry] = inventory(tmp_path).entries
    with ExitStack() as others:

        def act() -> None:
            os.rename(folder, tmp_path / "removed")
            made(folder)
            others.enter_context(another_process(folder))

        before_the_lock(monkeypatch, act)
        assert remove(entry) == IN_USE
        assert (folder / "data").is_file()


def test_an_entry_that_another_prune_removes_while_its_lock_is_taken_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path / "tokens" / key(1))
    [entry] = inventory(tmp_path).entries
    before_the_lock(monkeypatch, lambda: os.rename(folder, tmp_path / "removed"))
    assert remove(entry) == GONE


def test_the_lock_of_a_building_that_began_after_another_prune_removed_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "tokens" / f".{key(1)}.lock"
    lock.parent.mkdir()
    lock.touch()
    with ExitStack() as others:

        def act() -> None:
            lock.unlink()
            others.enter_context(locked(lock))

        before_the_lock(monkeypatch, act)
        remove_stray_locks(tmp_path)
        assert lock.exists()


def test_a_file_without_a_note_that_is_written_anew_while_the_old_one_goes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "auto" / f"{key(1)}.json"
    file.parent.mkdir()
    file.write_text("{}")
    [entry] = inventory(tmp_path).entries
    rename = os.rename

    def written_then(source: Path, target: Path) -> None:
        rename(source, target)
        file.write_text("[]")

    monkeypatch.setattr(os, "rename", written_then)
    assert remove(entry) == REMOVED
    assert file.read_text() == "[]"


def test_a_transaction_that_begins_in_a_file_made_anew_keeps_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made(tmp_path / "translations" / f"{key(1)}.sqlite")
    journal = file.with_name(f"{file.name}-journal")
    [entry] = inventory(tmp_path).entries
    unlink = Path.unlink

    def begun_then(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        if path == file.with_suffix(".json"):  # whose lock a process that comes now waits for
            file.touch()
            write_note(file, {})
            journal.touch()

    monkeypatch.setattr(Path, "unlink", begun_then)
    assert remove(entry) == REMOVED
    assert journal.exists()
