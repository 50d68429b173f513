"""What a cache is found to hold, and which of it goes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

import clir_lightning
from clir_lightning.data.store import inventory as module
from clir_lightning.data.store import listing
from clir_lightning.data.store.folders import locked, machine, partial_path
from clir_lightning.data.store.inventory import (
    BUILDING,
    DAMAGED,
    IN_USE,
    KINDS,
    LEFT_OVER,
    UNFINISHED_STATE,
    UNREADABLE,
    Entry,
    inventory,
    size_of,
)
from clir_lightning.data.store.pruning import GONE, REMOVED, chosen, remove, remove_stray_locks
from data.store.test_holding import another_process

DAY = 86400.0
NOW = datetime.now(tz=UTC).timestamp()
DEAD = 2**22 + 1  # a number that Linux gives to no process


def key(number: int) -> str:
    return f"{number:032x}"


def made(path: Path, size: int = 100, days: float = 0, **note: object) -> Path:
    """An entry of a cache of that size, used so many days ago."""
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        path.with_suffix(".json").write_text(json.dumps(note))
    else:
        path.mkdir(parents=True)
        text = json.dumps(note)
        (path / "manifest.json").write_text(text)
        (path / "data").write_bytes(b"x" * (size - len(text)))
    used = path.stat().st_mtime - days * DAY
    os.utime(path, (used, used))
    return path


def states(cache: Path) -> dict[str, str]:
    return {entry.path.name: entry.state for entry in inventory(cache).entries}


def test_entries_are_told_apart_from_what_others_put_there(tmp_path: Path) -> None:
    tokens = made(tmp_path / "tokens" / key(1), 300, of="3 queries in zh; xlmr")
    made(tmp_path / "knowledge" / f"table-{key(2)}", 200, kind="knowledge")
    made(tmp_path / "translations" / f"{key(3)}.sqlite", 400, of="zh → kk, nllb")
    (tmp_path / "auto").mkdir()
    about = {"model": "Cross", "precision": "bf16-mixed", "row": 128, "device": "cpu", "threads": 2}
    (tmp_path / "auto" / f"{key(4)}.json").write_text(json.dumps({"about": about, "tokens": 4096}))

    # A link, a folder and files of other names, another program's folder, and locks, which are of no size.
    (tmp_path / "tokens" / key(5)).symlink_to(tokens)
    (tmp_path / "tokens" / "mine").mkdir()
    (tmp_path / "tokens" / f"{key(6)}").write_text("a file where folders are")
    (tmp_path / "hub").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "tokens" / f".{key(1)}.lock").touch()

    found = inventory(tmp_path)
    assert [(entry.kind, entry.of, entry.size) for entry in found.entries] == [
        ("translations", "zh → kk, nllb", 400),
        ("tokens", "3 queries in zh; xlmr", 300),
        ("knowledge", "", 200),
        ("auto", "Cross in bf16-mixed, rows of 128, cpu", 115),
    ]
    assert found.size == 1015
    assert found.others == 5
    assert not [entry for entry in found.entries if entry.state]


def test_no_cache_is_an_empty_one_and_a_link_to_one_is_one(tmp_path: Path) -> None:
    assert inventory(tmp_path / "none").entries == []
    made(tmp_path / "big" / "vectors" / key(1))
    (tmp_path / "cache").symlink_to(tmp_path / "big")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "vectors").symlink_to(tmp_path / "big" / "vectors")
    for cache in (tmp_path / "cache", tmp_path / "other"):
        [entry] = inventory(cache).entries
        assert entry.size == 100
    assert remove(entry) == REMOVED
    assert not list((tmp_path / "big" / "vectors").iterdir())


def test_earlier_versions_notes_tell_what_they_can(tmp_path: Path) -> None:
    made(tmp_path / "tokens" / key(1), kind="tokens", texts=key(9), tokenizer="xlmr")
    made(tmp_path / "collections" / key(2), 90, kind="collection", name="demo")
    assert [entry.of for entry in inventory(tmp_path).entries] == ["xlmr", "demo"]


def test_states(tmp_path: Path) -> None:
    used = made(tmp_path / "tokens" / key(1))
    file = made(tmp_path / "translations" / f"{key(2)}.sqlite")
    damaged = made(tmp_path / "tokens" / key(3))
    (damaged / "manifest.json").write_text('{"kind": ')
    (tmp_path / "scores" / key(4)).mkdir(parents=True)
    with another_process(used, file):
        assert states(tmp_path) == {
            key(1): IN_USE,
            f"{key(2)}.sqlite": IN_USE,
            key(3): DAMAGED,
            key(4): "",
        }
    assert states(tmp_path)[key(1)] == ""


def test_an_entry_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "tokens" / key(1))
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
    [entry] = inventory(tmp_path).entries
    assert entry.state == UNREADABLE
    assert chosen([entry], older_than=0, max_size=0, now=NOW + DAY) == []


def test_where_locks_tell_nothing_what_was_used_lately_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "tokens" / key(1), days=6)
    made(tmp_path / "tokens" / key(2), days=8)

    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    assert states(tmp_path) == {key(1): IN_USE, key(2): ""}


def test_unfinished_work_of_the_dead_and_of_the_living(tmp_path: Path) -> None:
    home = tmp_path / "vectors"
    home.mkdir()
    own = partial_path(home / key(1))
    own.mkdir()
    (home / f".{key(1)}.{machine()}.{DEAD}.0badcafe.partial").mkdir()
    (home / f".{key(1)}.{machine()}.{DEAD}.0badcafe.partial.input.partial").mkdir()
    (home / f".{key(2)}.4096.unfinished").mkdir()
    with locked(home / f".{key(2)}.1-of-4.lock"):
        assert list(states(tmp_path).values()).count(BUILDING) == 2
    assert sorted(states(tmp_path).values()) == sorted([BUILDING, LEFT_OVER, LEFT_OVER, UNFINISHED_STATE])

    # The dead one's goes whatever is asked for; what goes on when it is asked for again goes when it is old.
    entries = inventory(tmp_path).entries
    assert [entry.state for entry in chosen(entries, now=NOW)] == [LEFT_OVER, LEFT_OVER]
    goes = chosen(entries, older_than=DAY, now=NOW + 2 * DAY)
    assert sorted(entry.state for entry in goes) == [LEFT_OVER, LEFT_OVER, UNFINISHED_STATE]
    with locked(home / f".{key(2)}.0-of-4.lock"):
        assert [remove(entry) for entry in goes if entry.state == UNFINISHED_STATE] == [IN_USE]
    assert [remove(entry) for entry in goes] == [REMOVED] * 3
    assert list(states(tmp_path).values()) == [BUILDING]


def listed(*given: tuple[str, float, int, str]) -> list[Entry]:
    """Entries by name, days since their use, size and state."""
    return [Entry(Path(name), "tokens", "", size, NOW - days * DAY, state) for name, days, size, state in given]


def names(entries: list[Entry]) -> str:
    return "".join(entry.path.name for entry in entries)


def test_what_goes_is_old_or_the_longest_unused_of_too_much() -> None:
    entries = listed(("a", 40, 10, ""), ("b", 50, 20, IN_USE), ("c", 10, 30, ""), ("d", 20, 5, ""), ("e", 60, 0, ""))
    assert names(chosen(entries, now=NOW)) == ""
    assert names(chosen(entries, older_than=30 * DAY, now=NOW)) == "ea"
    assert names(chosen(entries, older_than=40 * DAY, now=NOW)) == "e"  # longer ago than that

    # 65 bytes in all, 20 of them in use.
    assert names(chosen(entries, max_size=65, now=NOW)) == ""
    assert names(chosen(entries, max_size=64, now=NOW)) == "a"
    assert names(chosen(entries, max_size=54, now=NOW)) == "ad"
    assert names(chosen(entries, max_size=0, now=NOW)) == "adc"
    assert names(chosen(entries, max_size=50, older_than=30 * DAY, now=NOW)) == "ead"


def test_what_is_removed_goes_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    file = made(tmp_path / "translations" / f"{key(1)}.sqlite")
    file.with_name(file.name + "-journal").touch()
    other = made(tmp_path / "translations" / f"{key(2)}.sqlite")
    folder = made(tmp_path / "tokens" / key(3))
    locks = [folder.with_name(f".{folder.name}{end}.lock") for end in ("", ".0-of-2")]
    kept = folder.with_name(f".{key(4)}.lock")
    mine = folder.with_name(".mine.lock")
    for lock in (*locks, kept, mine):
        lock.touch()
    made(tmp_path / "tokens" / key(4))
    found = {entry.path: entry for entry in inventory(tmp_path).entries}
    assert [remove(found[file]), remove(found[folder])] == [REMOVED, REMOVED]
    assert remove(found[file]) == GONE
    remove_stray_locks(tmp_path)
    assert sorted(path.name for path in other.parent.iterdir()) == [f"{key(2)}.json", other.name]
    assert sorted(path.name for path in kept.parent.iterdir()) == [kept.name, mine.name, key(4)]


def test_an_entry_that_came_into_use_stays(tmp_path: Path) -> None:
    folder = made(tmp_path / "tokens" / key(1))
    [entry] = inventory(tmp_path).entries
    with another_process(folder):
        assert remove(entry) == IN_USE
        assert (folder / "data").is_file()
    assert remove(entry) == REMOVED
    assert not list(folder.parent.iterdir())


def test_what_cannot_be_removed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "tokens" / key(1))
    [entry] = inventory(tmp_path).entries

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refused)
    assert remove(entry) == "Permission denied"


def test_what_vanishes_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "tokens" / key(1))
    made(tmp_path / "tokens" / key(2))
    real = listing.listed
    monkeypatch.setattr(
        module, "listed", lambda folder: [path for path in real(folder) if path.name != key(1) or vanish(path)]
    )

    def vanish(path: Path) -> bool:
        os.rename(path, tmp_path / "elsewhere")
        return True

    assert list(states(tmp_path)) == [key(2)]


def test_what_another_prune_removes_while_it_is_looked_at_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "tokens" / key(1))
    made(tmp_path / "tokens" / key(2))
    entries = {entry.path.name: entry for entry in inventory(tmp_path).entries}
    read = module.read_note

    def removed_first(path: Path, kind: str) -> object:
        if path.name == key(1):
            assert remove(entries[key(1)]) == REMOVED
        return read(path, kind)

    monkeypatch.setattr(module, "read_note", removed_first)
    assert states(tmp_path) == {key(2): ""}


def test_where_locks_tell_nothing_what_vanishes_while_its_last_use_is_looked_at_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path / "tokens" / key(1))

    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    def removed_first() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        return 2e9

    monkeypatch.setattr("fcntl.flock", none)
    monkeypatch.setattr("time.time", removed_first)
    assert states(tmp_path) == {}


def test_a_size_is_of_all_files_and_ends_when_time_is_up(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    links = len(str(tmp_path / "a"))
    assert size_of(tmp_path) == 20 + links
    assert size_of(tmp_path, until=0) == 10 + links
    assert size_of(tmp_path / "a") == 10
    assert size_of(tmp_path / "none") == 0


def test_every_place_that_the_package_keeps_things_in_is_known() -> None:
    """A kind that the inventory does not know would never be listed."""
    found = set()
    for path in Path(clir_lightning.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'(?:expanduser\(\)|\bcache|home) / "([a-z]+)"', text))
    assert found - {"snapshots", "refs", "runs"} == set(KINDS)


def test_sqlite_goes_on_beside_a_prune(tmp_path: Path) -> None:
    """The lock of the note is none of SQLite's own."""
    file = tmp_path / "translations" / f"{key(1)}.sqlite"
    file.parent.mkdir()
    with sqlite3.connect(file) as store:
        store.execute("CREATE TABLE t (x)")
    file.with_suffix(".json").write_text("{}")
    with another_process(file), sqlite3.connect(file) as store:
        store.execute("INSERT INTO t VALUES (1)")
        [entry] = inventory(tmp_path).entries
        assert remove(entry) == IN_USE
