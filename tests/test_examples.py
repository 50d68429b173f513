"""Each file of `examples/` runs in a process of its own, from another folder; so do the commands in their heads."""

from __future__ import annotations

import doctest
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import clir_lightning as clir
from program import HANG, ROOT, SHORT, python
from program import clir as program

EXAMPLES = ROOT / "examples"
FILES = {path.stem: path for path in EXAMPLES.glob("*.py")}


def run(*command: str, cwd: Path) -> str:
    """What a command prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def command_of(name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of the `clir` command in an example's head, whose variables are set."""
    head = FILES[name].read_text(encoding="utf-8").partition('"""\n\n')[0].replace("\\\n", "")
    (line,) = re.findall(r"^    (PYTHONPATH=.* clir .*)$", head, flags=re.MULTILINE)
    variables, _, words = line.partition(" clir ")
    for variable, value in (part.split("=") for part in variables.split()):
        monkeypatch.setenv(variable, str(EXAMPLES) if value == "examples" else value)
    return shlex.split(words)


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_head_names_the_command(name: str) -> None:
    assert f"\n    python examples/{name}.py" in FILES[name].read_text(encoding="utf-8")


@pytest.mark.slow
def test_training_from_python(tmp_path: Path) -> None:
    """In a Python that has nothing of it imported; the other files run in forks of one that has."""
    told = run(sys.executable, str(FILES["train_from_python"]), "2", cwd=tmp_path)
    rows = [line.split() for line in told.splitlines()]
    assert [name for name, _ in rows] == ["mrr_5", "mrr_10", "ndcg_5", "ndcg_10"]
    assert all(0 <= float(value) <= 100 for _, value in rows)


@pytest.mark.slow
def test_a_foreign_run(tmp_path: Path) -> None:
    """Its own measures are `clir.evaluate`'s, also where the file is given."""
    script = FILES["foreign_run"]
    told = python(script, cwd=tmp_path)
    run_file = tmp_path / "shortest.trec"
    qrels = clir.load_collection("demo").split("test1").qrels
    means = clir.evaluate(clir.read_run(run_file), qrels, ["ndcg_10", "recall_100"]).means
    assert told.startswith(str({name: round(value, 4) for name, value in means.items()}))
    assert "documents of the run are not judged and count as grade 0" in told
    assert re.search(r"^\| theirs \| 1 \|", told, flags=re.MULTILINE)
    run_file.rename(tmp_path / "their.trec")
    assert python(script, "their.trec", cwd=tmp_path) == told


@pytest.mark.slow
def test_a_loss_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both ways; e^-1 = 0.3679 stands in its docstring."""
    told = python(FILES["own_loss"], cwd=tmp_path)
    assert told.startswith("{'mrr_5': ")
    spec = importlib.util.spec_from_file_location("own_loss", FILES["own_loss"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module) == (0, 1)

    words = command_of("own_loss", monkeypatch)
    program(*words, *SHORT, "candidates.test_queries=3", "hydra.run.dir=out", cwd=tmp_path)
    settings = json.loads((tmp_path / "out" / "model" / "clir.json").read_text(encoding="utf-8"))["config"]
    assert settings["loss"] == {"exponential": {"_target_": "own_loss.Exponential"}}


@pytest.mark.slow
def test_a_source_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = python(FILES["own_source"], cwd=tmp_path)
    assert told.splitlines() == [
        "Collection('words': 28 documents; queries: train 14, dev 7, test1 7)",
        "{'mrr': 1.0}",
    ]
    words = [word.replace("examples/", f"{EXAMPLES}/") for word in command_of("own_source", monkeypatch)]
    program(*words, *SHORT, "hydra.run.dir=out", cwd=tmp_path)
    scored = clir.read_run(tmp_path / "out" / "runs" / "test.trec")
    assert sorted(scored) == sorted(["一", "五", "九", "绿色", "马", "牛", "春天"])
    assert {len(scored[query]) for query in scored} == {28}
