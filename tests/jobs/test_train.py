"""`clir train` from outside: what it leaves in the output folder, and what it says of bad input."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clir_lightning.data.files.trec import read_qrels, read_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.evaluation.evaluate import evaluate
from program import RANDOM, SHORT, begin, clir, until


def test_output_folder_holds_what_is_promised_and_nothing_else(demo_run: Path) -> None:
    for name in (
        ".hydra/config.yaml",
        "train.log",
        "model/clir.json",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "checkpoints/last.ckpt",
        "runs/val.trec",
        "runs/test.trec",
        "runs/test.bm25.trec",
        "runs/test.bm25_own_names.trec",
        "runs/val.qrels",
        "runs/test.qrels",
        "per_query.csv",
        "metrics.json",
        "metrics.csv",
        "provenance.json",
    ):
        assert (demo_run / name).stat().st_size > 0, name
    assert {path.name for path in (demo_run / "checkpoints").iterdir()} == {"last.ckpt"}
    assert {path.name for path in (demo_run / "model").iterdir()} == {
        *("clir.json", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    }
    allowed = {".hydra", "checkpoints", "model", "runs", "wandb"}
    assert {path.name for path in demo_run.iterdir() if path.is_dir()} == allowed
    assert {path.name for path in demo_run.parent.iterdir()} == {"out"}


def test_metrics_are_those_of_the_run_files(demo_run: Path) -> None:
    metrics = json.loads((demo_run / "metrics.json").read_text())
    demo = build_demo()
    for stage, split, queries in (("val", "dev", 3), ("test", "test1", 5)):
        run = read_run(demo_run / "runs" / f"{stage}.trec")
        assert len(run) == queries
        assert all(len(run[query]) == 100 for query in run)
        qrels = {query: demo.split(split).qrels[query] for query in run}
        assert dict(read_qrels(demo_run / "runs" / f"{stage}.qrels")) == qrels
        means = evaluate(run, qrels).means
        assert {name: metrics[stage][name] for name in means} == pytest.approx(means, abs=1e-12)


def test_per_query_values_average_to_the_metrics(demo_run: Path) -> None:
    with (demo_run / "per_query.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["qid"] for row in rows}) == len(rows) == 5
    for name, mean in json.loads((demo_run / "metrics.json").read_text())["test"].items():
        assert sum(float(row[name]) for row in rows) / len(rows) == pytest.approx(mean, abs=1e-12)


def test_provenance_tells_where_the_result_came_from(demo_run: Path) -> None:
    provenance = json.loads((demo_run / "provenance.json").read_text())
    assert provenance["seed"] == provenance["config"]["seed"] == 1
    assert provenance["versions"]["torch"] == torch.__version__
    assert {"data", "model", "training", "test"} <= set(provenance["seconds"])


def test_metrics_csv_has_steps_and_epochs(demo_run: Path) -> None:
    with (demo_run / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert any(row["val/ndcg_10"] for row in rows)
    assert any(row["train/loss_epoch"] for row in rows)


def test_checkpoint_loads_without_pickled_code(demo_run: Path) -> None:
    assert "state_dict" in torch.load(demo_run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores(demo_run: Path, tmp_path: Path) -> None:
    clir("train", *SHORT, "candidates.test_queries=5", "hydra.run.dir=again", cwd=tmp_path)
    first, second = (read_run(folder / "runs" / "test.trec") for folder in (demo_run, tmp_path / "again"))
    assert dict(first.by_query) == dict(second.by_query)


def test_a_raw_clirmatrix_folder_trains_and_prints_the_table(
    clirmatrix_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = clirmatrix_folder()
    done = clir("train", "data=clirmatrix", f"data.path={folder}", "trainer.max_epochs=1", "name=mine", cwd=tmp_path)
    for text in (
        "MRR@5",
        "MRR@10",
        "NDCG@5",
        "NDCG@10",
        "random order",
        "BM25",
        "mine (this run)",
        "ideal",
        "metrics.json",
    ):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=clirmatrix", "data.path=nowhere"], "nowhere: no such folder"),
        (["splits.test=tset1"], "split is 'tset1'; allowed: train, dev, test1; did you mean 'test1'?"),
        (["encoder=hf", "encoder.name=no/such-model"], "encoder 'no/such-model' cannot be loaded"),
        pytest.param(
            ["batches.max_length=10"], "leaves no room for a document within max_length=10", marks=pytest.mark.slow
        ),
        (["candidates.depth=0"], "candidates.depth is 0; allowed: 1 or more"),
        pytest.param(["batches.max_length=5000"], "this encoder takes at most 512 tokens", marks=pytest.mark.slow),
        pytest.param(
            ["++trainer.strategy=both"],
            "trainer: You selected an invalid strategy name: `strategy='both'`",
            marks=pytest.mark.slow,
        ),
        (["loss=[]"], "there is no loss to train with; add loss=[softmax_hinge]"),
    ],
)
def test_bad_settings_end_with_one_line_before_training(overrides: list[str], message: str, tmp_path: Path) -> None:
    done = clir("train", *overrides, "hydra.run.dir=out", cwd=tmp_path, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("clir train: ")
    assert message in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert not (tmp_path / "out" / "checkpoints").exists()


@pytest.mark.slow
def test_killed_runs_leave_no_metrics(tmp_path: Path) -> None:
    """A folder that held a finished run's metrics shows none after the next run in it was killed in training.

    Nor is there a model left that an earlier one, killed too, had hidden.
    """
    out = tmp_path / "out"
    (out / ".model.host.999999.aaaa.partial").mkdir(parents=True)
    (out / "metrics.json").write_text('{"val": {}, "test": {}}')
    quick = (RANDOM, "batches.size=4", "hydra.run.dir=out")
    process = begin("train", *quick, cwd=tmp_path, said=(tmp_path / "said", tmp_path / "said"))
    until((out / "metrics.csv").exists, process)
    process.kill()
    process.join()
    assert (out / "metrics.csv").exists()
    assert not (out / "metrics.json").exists()
    assert not list(out.rglob("*.partial"))
