"""Folders that can be written to, and those that cannot."""

from __future__ import annotations

import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from clir_lightning.machine import disks
from clir_lightning.machine.facts import BROKEN, LOOK, Fact

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9e9, 5e9, 4e9))
    monkeypatch.setenv("CLIR_CACHE", "set")


def test_a_cache_says_how_large_it_is_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "ids").write_bytes(b"x" * 1500)
    assert disks.cache(tmp_path) == Fact("cache", f"{tmp_path} (CLIR_CACHE), 1.5 kB, 4.0 GB free")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["ids", "tokens"]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLIR_CACHE")
    folder = tmp_path / "a" / "b"
    told = f"{folder} (set CLIR_CACHE for another), 0 B, not made yet, 4.0 GB free"
    assert disks.cache(folder) == Fact("cache", told)
    assert not folder.parent.exists()


def test_little_room_is_worth_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9e9, 8e9, 1e9))
    assert disks.outputs(tmp_path) == Fact("outputs", f"{tmp_path}, 1.0 GB free", LOOK)


def test_a_folder_without_the_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    fact = disks.cache(tmp_path)
    assert fact.state == BROKEN
    assert fact.value.endswith("cannot be written to (Permission denied); set CLIR_CACHE to a folder that can be")
    assert disks.outputs(tmp_path).state == BROKEN


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert disks.cache(tmp_path / "file" / "cache").state == BROKEN
