"""`clir retrieve` from outside: run files, settings, and that a failure leaves none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.evaluation.evaluate import evaluate
from program import SHORT, clir

LIGHT = ("retrieve", "retriever=bm25s", "hydra.run.dir=out")


def test_filled_lists_and_measures_of_what_was_found(tmp_path: Path) -> None:
    done = clir(*LIGHT, "splits=[dev]", "fill=random", "depth=50", cwd=tmp_path)
    assert "dev: prefix5" not in done.stderr
    assert "documents in kk: prefix5" in done.stdout + done.stderr
    run = read_run(tmp_path / "out" / "runs" / "dev.trec")
    assert {len(scores) for scores in run.values()} == {50}
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())["dev"]
    assert evaluate(run, build_demo().split("dev").qrels).means["mrr_10"] == pytest.approx(metrics["mrr_10"], abs=0.02)


@pytest.mark.slow
def test_relevant_documents_are_added_to_train_alone_and_loudly(tmp_path: Path) -> None:
    done = clir(*LIGHT, "splits=[train,dev]", "add_missing_relevant_to_train=true", cwd=tmp_path)
    assert "RELEVANT DOCUMENTS ARE ADDED" in done.stdout + done.stderr
    demo = build_demo()
    train, dev = (read_run(tmp_path / "out" / "runs" / f"{split}.trec") for split in ("train", "dev"))
    relevant = {query: set(demo.split("train").qrels.relevant(query)) for query in train}
    assert all(relevant[query] <= set(train[query]) for query in train)
    assert any(not set(demo.split("dev").qrels.relevant(query)) <= set(dev[query]) for query in dev)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["retriever=bm25", "retriever.java=/nowhere/java"], "Java is missing at /nowhere/java"),
        (["retriever.analyser=wrods"], "retriever.analyser is 'wrods'; allowed: auto, words"),
        (["translation=given", "translation.path=nowhere.tsv"], "nowhere.tsv: no such file"),
        (["fill=rand"], "fill is 'rand'; allowed: none, random"),
        (["splits=[tset1]"], "split is 'tset1'"),
        (["splits=[dev]", "add_missing_relevant_to_train=true"], "works on the split train alone"),
        (["+rm3.original=2"], "rm3.original is 2; allowed: 0 or more, at most 1"),
    ],
)
def test_failures_are_one_line_and_leave_what_was_there(overrides: list[str], message: str, tmp_path: Path) -> None:
    old = tmp_path / "out" / "runs" / "dev.trec"
    old.parent.mkdir(parents=True)
    old.write_text("q Q0 d 1 1.0 old\n")
    done = clir(*LIGHT, *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [old]
    assert old.read_text() == "q Q0 d 1 1.0 old\n"


@pytest.mark.slow
def test_train_scores_a_run_files_lists(tmp_path: Path) -> None:
    """Queries that found nothing have no candidates and count 0."""
    clir(*LIGHT, "splits=[test1]", "depth=7", cwd=tmp_path)
    done = clir("train", *SHORT, "candidates.test=out/runs/test1.trec", "hydra.run.dir=run", cwd=tmp_path)
    found, scored = (read_run(tmp_path / name) for name in ("out/runs/test1.trec", "run/runs/test.trec"))
    assert {query: set(found[query]) for query in found} == {query: set(scored[query]) for query in scored}
    assert len(found) < 200
    assert "test1: 200 queries" in done.stdout
