"""`clir cache prune`: what it removes and asks, and that processes beside it notice nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.data.store.folders import machine
from clir_lightning.data.store.inventory import BUILDING, IN_USE, inventory
from clir_lightning.data.store.pruning import GONE, REMOVED, chosen, remove
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.cache_prune import main
from data.store.test_holding import another_process
from data.store.test_inventory import DEAD, key, made
from program import SHORT, begin, clir


def prune(cache: Path, **settings: object) -> None:
    default = {"older_than": None, "max_size": None, "kind": None, "yes": True}
    main(OmegaConf.create({"cache": str(cache), **default, **settings}))


def left(cache: Path) -> list[str]:
    return sorted(f"{entry.kind} {entry.path.name.lstrip('0')}" for entry in inventory(cache).entries)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    made(tmp_path / "tokens" / key(1), 3000, days=40)
    made(tmp_path / "tokens" / key(2), 2000, days=1)
    made(tmp_path / "vectors" / key(3), 5000, days=20)
    (tmp_path / "mine").write_text("mine")
    return tmp_path


def test_the_old_go(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prune(cache, older_than="30d")
    assert left(cache) == ["tokens 2", "vectors 3"]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"cache: {cache}, 10 kB in 3 entries"
    assert said[-1] == "removed 1 entry, 3.0 kB; 7.0 kB are left"
    assert (cache / "mine").read_text() == "mine"


def test_the_longest_unused_go_until_the_others_fit(cache: Path) -> None:
    prune(cache, max_size="7kB")
    assert left(cache) == ["tokens 2", "vectors 3"]
    prune(cache, max_size="1kB", kind="vectors")
    assert left(cache) == ["tokens 2"]
    prune(cache, max_size=0)
    assert left(cache) == []


def test_without_a_setting_only_what_dead_processes_left_goes(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prune(cache)
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to remove; give older_than=30d, max_size=20GB or both"
    rest = cache / "tokens" / f".{key(9)}.{machine()}.{DEAD}.0badcafe.partial"
    rest.mkdir()
    (cache / "tokens" / f".{key(9)}.lock").touch()
    prune(cache)
    assert not rest.exists()
    assert len(left(cache)) == 3
    assert not list((cache / "tokens").glob(".*"))


def test_what_a_running_process_holds_stays(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with another_process(cache / "tokens" / key(1)):
        prune(cache, older_than=0)
        assert left(cache) == ["tokens 1"]
        assert "1 of them is in use, being built or not yours, and stays" in capsys.readouterr().out
    prune(cache, older_than=0)
    assert left(cache) == []


def test_it_asks_at_a_terminal(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    asked: list[str] = []
    answers = iter(["", "n", "y"])

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    for entries in (3, 3, 1):
        prune(cache, older_than="10d", yes=False)
        assert len(left(cache)) == entries
    assert asked == ["Remove 2 entries? [y/N] "] * 3


def test_without_a_terminal_it_removes_nothing_unasked(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="nothing was removed, as there is no terminal to ask in; add yes=true"):
        prune(cache, older_than="10d", yes=False)
    assert "vectors" in capsys.readouterr().out
    assert len(left(cache)) == 3


def test_a_refused_removal_is_told_and_the_others_go(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {key(1): "Permission denied", key(3): IN_USE}
    monkeypatch.setattr(
        "clir_lightning.jobs.cache_prune.remove", lambda entry: outcomes.get(entry.path.name) or remove(entry)
    )
    with pytest.raises(ConfigError, match="1 entry could not be removed"):
        prune(cache, older_than=0)
    said = capsys.readouterr().out
    assert f"{cache / 'tokens' / key(1)} stays: Permission denied" in said
    assert "removed 1 entry, 2.0 kB; 8.0 kB are left" in said


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"older_than": 30}, "older_than is 30; allowed: a number with a unit"),
        ({"older_than": "soon"}, "older_than is 'soon'"),
        ({"max_size": "20"}, "max_size is '20'"),
        ({"max_size": "-1GB"}, "max_size is '-1GB'"),
        ({"yes": "maybe"}, "yes is 'maybe'; allowed: true, false"),
    ],
)
def test_settings_that_cannot_be(cache: Path, settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        prune(cache, **settings)
    assert len(left(cache)) == 3


def test_as_a_program(cache: Path) -> None:
    done = clir("cache", "prune", f"cache={cache}", "older_than=30d", cwd=cache, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "clir cache prune: nothing was removed, as there is no terminal to ask in; add yes=true to remove these"
    ]
    clir("cache", "prune", f"cache={cache}", "older_than=30d", "yes=true", cwd=cache)
    listed = clir("cache", "list", f"cache={cache}", cwd=cache).stdout
    assert "total" in listed
    assert len(left(cache)) == 2
    assert sorted(path.name for path in cache.iterdir()) == ["mine", "tokens", "vectors"]


@pytest.mark.slow
def test_a_training_survives_a_prune_of_everything_beside_it(tmp_path: Path) -> None:
    clir("data", "export", "data=demo", "layout=beir", "path=texts", cwd=tmp_path)
    cache = tmp_path / "cache"
    said = (tmp_path / "stdout", tmp_path / "stderr")
    data = ["data=folder", "data.path=texts", "data.query_language=zh", "data.document_language=kk"]
    data += ["data.splits=[train,dev,test1]"]
    settings = [*data, f"data.cache={cache}", f"cache={cache}", "encoder=tiny", *SHORT, "candidates.test_queries=20"]
    settings += ["hydra.run.dir=out"]
    process = begin("train", *settings, cwd=tmp_path, said=said)
    kept = 0
    while process.exitcode is None:
        outcomes = [remove(entry) for entry in chosen(inventory(cache).entries, older_than=0)]
        assert set(outcomes) <= {REMOVED, GONE, IN_USE, BUILDING}
        kept = max(kept, len(inventory(cache).entries))
        time.sleep(0.05)
    assert process.exitcode == 0, said[1].read_text()[-2000:]
    assert (tmp_path / "out" / "metrics.json").is_file()
    assert kept > 1
    prune(cache, older_than=0)
    assert left(cache) == []
