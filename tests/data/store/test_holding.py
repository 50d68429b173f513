"""What a process holds, others see, until it ends, however it does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clir_lightning.data.store import holding
from clir_lightning.data.store.folders import build_once
from clir_lightning.data.store.holding import hold, note_of, release, write_note
from clir_lightning.data.store.inventory import alone

HOLD = """
import sys
from pathlib import Path
from clir_lightning.data.store.holding import hold
print(all([hold(Path(path)) for path in sys.argv[1:]]), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(*entries: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds entries while the block runs, or until it is killed."""
    command = [sys.executable, "-c", HOLD, *map(str, entries)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def is_free(entry: Path) -> bool:
    with alone(note_of(entry)) as (free, works):
        assert works
        return free


@pytest.fixture
def entry(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    yield folder
    release(folder)


def test_another_process_is_seen_until_it_is_killed(entry: Path) -> None:
    assert is_free(entry)
    with another_process(entry) as process:
        assert not is_free(entry)
        with another_process(entry):
            pass
        assert not is_free(entry)
        process.kill()
        process.wait()
        assert is_free(entry)


def test_a_file_is_held_by_the_lock_of_its_note(tmp_path: Path) -> None:
    file = tmp_path / "0a.sqlite"
    write_note(file, {"of": "zh → kk"})
    write_note(file, {"of": "not again"})
    assert note_of(file).read_text(encoding="utf-8") == '{"of": "zh → kk"}'
    assert not hold(file)
    file.touch()
    assert hold(file)
    assert not is_free(file)
    release(file)
    assert is_free(file)


def test_what_is_used_says_when(entry: Path) -> None:
    os.utime(entry, (1, 1))
    os.utime(entry / "manifest.json", (1, 1))
    assert hold(entry)
    assert entry.stat().st_mtime > 1e9
    assert (entry / "manifest.json").stat().st_mtime == 1  # files stay as they were: their times may be in keys


def test_an_entry_that_was_made_anew_is_held_anew(tmp_path: Path) -> None:
    """The lock of a folder that is gone holds nothing."""

    def build(folder: Path) -> dict[str, str]:
        (folder / "text").write_text("whole")
        return {}

    target = build_once(tmp_path / "store", build)
    os.rename(target, tmp_path / "moved")
    build_once(target, build)
    assert not is_free(target)
    release(target)
    assert is_free(target)


def test_an_entry_that_is_made_anew_while_its_lock_is_taken_is_held(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = holding._share
    times = iter(range(5))

    def overtaken(note: Path) -> None:
        share(note)
        if next(times) == 0:
            os.rename(entry, entry.with_name("moved"))
            entry.mkdir()
            (entry / "manifest.json").write_text("{}")

    monkeypatch.setattr(holding, "_share", overtaken)
    assert hold(entry)
    assert next(times) == 2
    assert not is_free(entry)


def test_an_entry_that_another_process_completes_while_it_is_looked_for_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "store"
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / "manifest.json").write_text("{}")
    real = holding.note_of

    def completed_then(entry: Path) -> Path:
        note = real(entry)
        if partial.exists():
            os.rename(partial, target)
        return note

    monkeypatch.setattr(holding, "note_of", completed_then)
    assert hold(target)
    assert not is_free(target)
    release(target)


def test_without_a_note_or_the_right_to_read_it_nothing_is_held(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuses)
        assert hold(entry)
    assert is_free(entry)
    (entry / "manifest.json").unlink()
    assert hold(entry)
    assert not hold(entry.parent / "none")


def test_a_file_system_without_locks_goes_without(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    assert hold(entry)
    assert not [note for note in holding._held if note.parent == entry]


def test_the_locks_asked_for_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "HELD", 2)
    monkeypatch.setattr(holding, "_held", type(holding._held)())
    entries = [tmp_path / name for name in "abc"]
    for folder in entries:
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
    for place in (0, 1, 0, 2):
        hold(entries[place])
    assert [is_free(folder) for folder in entries] == [False, True, False]
    for folder in entries:
        release(folder)
