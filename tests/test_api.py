"""`import clir_lightning as clir`: the functions give what the verbs give, and loading them costs nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import clir_lightning as clir
from clir_lightning.evaluation import Member, System, comparison
from program import HANG, ROOT
from program import clir as program

HEAVY = ("torch", "numpy", "hydra", "omegaconf", "transformers", "pytorch_lightning", "babel")


def fresh(*arguments: str, cwd: Path) -> str:
    """What a fresh process of this interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG, env=environment)
    assert not done.stderr, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def demo() -> clir.Collection:
    return clir.load_collection("demo")


@pytest.fixture(scope="module")
def found(demo: clir.Collection) -> clir.Run:
    return clir.retrieve(demo, retriever="bm25s", depth=10)


def shuffled(run: clir.Run, seed: int) -> clir.Run:
    """The run's documents in a random order."""
    rng = random.Random(seed)
    return clir.Run({query: {document: rng.random() for document in run[query]} for query in run}, f"seed {seed}")


@pytest.mark.parametrize(
    "program_text",
    [
        "import clir_lightning; dir(clir_lightning)",
        "from clir_lightning import Run, Qrels, ConfigError",
        "from clir_lightning.cli import main; main(['--help'])",
        "from clir_lightning.cli import main; main(['train', '--help'])",
    ],
)
def test_nothing_heavy_is_imported(program_text: str, tmp_path: Path) -> None:
    told = fresh("-c", f"import sys; {program_text}; print(*(set({HEAVY}) & set(sys.modules)))", cwd=tmp_path)
    assert told.splitlines()[-1] == ""


@pytest.mark.slow
def test_what_trains_nothing_imports_no_lightning(tmp_path: Path) -> None:
    """Its import takes seconds of each command."""
    jobs = "browse, compare, data_inspect, evaluate, export, fuse, graph_rank, mine, retrieve, search"
    libraries = {"pytorch_lightning", "lightning_fabric", "torchmetrics"}
    program_text = f"import sys; from clir_lightning.jobs import {jobs}; print(*({libraries} & set(sys.modules)))"
    assert fresh("-c", program_text, cwd=tmp_path).splitlines()[-1] == ""


def test_every_name_of_the_stub_is_there() -> None:
    names = dir(clir)
    assert {"load_collection", "retrieve", "load_model", "evaluate", "compare", "table", "read_run"} <= set(names)
    assert all(getattr(clir, name).__doc__ for name in names)


@pytest.mark.slow
def test_types_are_seen_from_outside(tmp_path: Path) -> None:
    """By mypy, of a file that is no part of the project, with none of its settings: `py.typed` and the stubs."""
    (tmp_path / "mine.py").write_text(
        "import clir_lightning as clir\n"
        "from clir_lightning.losses import ScoreLoss\n"
        "reveal_type(clir.load_collection())\n"
        "reveal_type(clir.load_model('x').rank('q', ['d']))\n"
        "reveal_type(ScoreLoss(2.0).weight)\n"
        "clir.retrieve('demo')\n"
        "clir.zzz\n",
        encoding="utf-8",
    )
    # Libraries that are not looked into: their types take a minute.
    libraries = "torch torchmetrics transformers tokenizers pytorch_lightning numpy scipy hydra omegaconf rich tqdm"
    skipped = ",".join(f"{name}.*" for name in libraries.split())
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\n[mypy-{skipped}]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "mine.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.stdout.splitlines() == [
        'mine.py:3: note: Revealed type is "clir_lightning.data.collection.Collection"',
        'mine.py:4: note: Revealed type is "list[tuple[str, float]]"',
        'mine.py:5: note: Revealed type is "float"',
        'mine.py:6: error: Argument 1 to "retrieve" has incompatible type "str"; expected "Collection"  [arg-type]',
        'mine.py:7: error: Module has no attribute "zzz"  [attr-defined]',
    ], done.stdout + done.stderr


def test_the_demo_opens_as_on_the_command_line(demo: clir.Collection) -> None:
    assert repr(demo) == "Collection('demo': 2,903 documents; queries: train 2,555, dev 100, test1 200)"
    assert demo.split("train").queries["language:ja"].text == "日语"
    assert len(clir.load_collection("demo", dev=7).split("dev").queries) == 7


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("demoo", {}, "data is 'demoo'; allowed: clirmatrix, demo, .*; did you mean 'demo'"),
        ("demo", {"path": "x"}, "setting is 'data.path'; allowed: data.dev, data.test, "),
        ("clirmatrix", {}, "data.path has no value; give data.path=…"),
    ],
)
def test_a_collection_that_cannot_be(name: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(clir.ConfigError, match=told):
        clir.load_collection(name, **settings)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(clir.DataError, match="neither a BEIR nor a TREC folder"):
        clir.load_collection("folder", path=str(tmp_path), query_language="zh", document_language="kk")


@pytest.mark.slow
def test_retrieval_is_that_of_clir_retrieve(demo: clir.Collection, found: clir.Run, tmp_path: Path) -> None:
    settings = ("retriever=bm25s", "splits=[test1]", "depth=10", "hydra.run.dir=out")
    program("retrieve", *settings, cwd=tmp_path)
    assert dict(clir.read_run(tmp_path / "out" / "runs" / "test1.trec")) == {q: found[q] for q in found if found[q]}
    assert len(found) == 200
    assert max(map(len, found.values())) == 10

    program("retrieve", *settings[:-1], "retriever.k1=0.3", "translation.names=own", "hydra.run.dir=b", cwd=tmp_path)
    changed: dict[str, dict[str, Any]] = {"retriever": {"k1": 0.3}, "translation": {"names": "own"}}
    other = clir.retrieve(demo, "test1", retriever="bm25s", depth=10, settings=changed)
    assert dict(clir.read_run(tmp_path / "b" / "runs" / "test1.trec")) == {q: other[q] for q in other if other[q]}
    assert dict(other) != dict(found)


def test_dense_retrieval_needs_its_model(demo: clir.Collection, dual_run: Path) -> None:
    model = {"retriever": {"model": str(dual_run)}}
    run = clir.retrieve(demo, retriever="dense", depth=3, settings=model)
    assert {len(run[query]) for query in run} == {3}
    with pytest.raises(clir.ConfigError, match=r"retriever\.model has no value"):
        clir.retrieve(demo, retriever="dense")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"split": "tset1"}, "split is 'tset1'; allowed: train, dev, test1; did you mean 'test1'"),
        ({"retriever": "bm26"}, "retriever is 'bm26'; allowed: bm25, bm25s, dense"),
        ({"retriever": "bm25s", "translation": "lexikon"}, "translation is 'lexikon'; .* did you mean 'lexicon'"),
        ({"retriever": "bm25s", "settings": {"retriever": {"k": 1}}}, "'retriever.k'; allowed: retriever.k1, "),
        ({"settings": {"splits": {}}}, "a part of settings is 'splits'; allowed: retriever, translation"),
        ({"depth": 0}, "depth is 0; allowed: 1 or more"),
    ],
)
def test_retrieval_that_cannot_be(arguments: dict[str, Any], told: str, demo: clir.Collection) -> None:
    with pytest.raises(clir.ConfigError, match=told):
        clir.retrieve(demo, **arguments)


def test_evaluation_of_a_trained_run(demo_run: Path) -> None:
    """The measures that training wrote, from its run file and judgements."""
    run = clir.read_run(demo_run / "runs" / "test.trec")
    result = clir.evaluate(run, clir.read_qrels(demo_run / "runs" / "test.qrels"))
    told = (demo_run / "metrics.json").read_text(encoding="utf-8")
    assert all(str(value)[:10] in told for value in result.means.values())
    assert "per_query" not in repr(result)


def test_a_comparison_is_that_of_the_evaluation_room(demo: clir.Collection, found: clir.Run) -> None:
    qrels = demo.split("test1").qrels
    seeds = [shuffled(found, 1), shuffled(found, 2)]
    made = clir.compare({"bm25": found, "mine": seeds}, qrels, samples=500)

    def system(name: str, runs: Sequence[clir.Run]) -> System:
        return System(name, tuple(Member(run, qrels, seed=number) for number, run in enumerate(runs, start=1)))

    systems = [system("bm25", [found]), system("mine", seeds)]
    assert made == comparison.compare(systems, baseline="bm25", samples=500, seed=1)
    assert [row.seeds for row in made.rows] == [1, 2]
    means = [clir.evaluate(run, qrels).means["ndcg_10"] for run in seeds]
    assert made.rows[1].means["ndcg_10"] == pytest.approx(sum(means) / 2)

    # As text in three styles; the first system is the baseline.
    assert "| bm25 (baseline) | 1 |" in clir.table(made)
    assert f"| mine | 2 | {100 * made.rows[1].means['mrr_5']:.1f} ± " in clir.table(made)
    assert clir.table(made, "latex").startswith("% needs \\usepackage{booktabs}\n\\begin{table}")
    assert clir.table(made, "csv").splitlines()[0].startswith("system,")


def test_a_comparison_that_cannot_be(found: clir.Run) -> None:
    qrels = {query: {"a": 1} for query in found}
    with pytest.raises(clir.ConfigError, match="there is no system to compare"):
        clir.compare({}, qrels)
    with pytest.raises(clir.ConfigError, match="system 'a' has no run; give one, or one per seed"):
        clir.compare({"a": []}, qrels)
    with pytest.raises(clir.ConfigError, match="baseline is 'b'; allowed: a"):
        clir.compare({"a": found}, qrels, baseline="b")
    with pytest.raises(clir.ConfigError, match="measure is 'ndgc_10'; allowed: "):
        clir.compare({"a": found}, qrels, measures=["ndgc_10"])
    with pytest.raises(clir.ConfigError, match="style is 'html'; allowed: markdown, latex, csv"):
        clir.table(clir.compare({"a": found}, qrels, samples=10), "html")


def test_a_path_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(clir.ConfigError, match="gone is missing; give an output folder of clir train"):
        clir.load_model(tmp_path / "gone")
    with pytest.raises(clir.ConfigError, match=r"is not a trained model \(it holds nothing\)"):
        clir.load_model(tmp_path)


def test_a_device_and_a_precision_that_are_not_there(demo_run: Path) -> None:
    with pytest.raises(clir.ConfigError, match="device is 'cuda:7'; allowed: auto, cpu"):
        clir.load_model(demo_run, device="cuda:7")
    with pytest.raises(clir.ConfigError, match="precision is '8'; allowed: 32-true"):
        clir.load_model(demo_run, precision="8")


def test_errors_have_one_base() -> None:
    assert issubclass(clir.ConfigError, clir.ClirError)
    assert issubclass(clir.DataError, clir.ClirError)
