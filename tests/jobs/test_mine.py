"""`clir mine` on the demo: what it writes trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_run, write_run
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.types import Run
from program import SHORT, clir


@pytest.mark.slow
def test_mined_negatives_are_not_relevant_and_train(tmp_path: Path) -> None:
    clir("retrieve", "retriever=bm25s", "splits=[train]", "depth=20", "hydra.run.dir=first", cwd=tmp_path)
    shown = clir(
        "mine", "data=demo", "run=first/runs/train.trec", "filters.ratio=0.95", "hydra.run.dir=out", cwd=tmp_path
    ).stdout
    assert "removed: grade" in shown
    qrels = build_demo().split("train").qrels
    negatives = read_run(tmp_path / "out" / "negatives.trec")
    assert len(negatives) > 1000
    assert not any(set(negatives[query]) & set(qrels.relevant(query)) for query in negatives)
    lines = [line.split("\t") for line in (tmp_path / "out" / "triples.tsv").read_text(encoding="utf-8").splitlines()]
    assert {len(line) for line in lines} == {3}
    assert all(
        positive in qrels.relevant(query) and negative in negatives[query] for query, positive, negative in lines
    )
    triples = ("sampling=triples", "sampling.path=out/triples.tsv", "candidates.test_queries=5")
    clir("train", *SHORT, *triples, "hydra.run.dir=trained", cwd=tmp_path)
    (tmp_path / "out" / "triples.tsv").unlink()  # scoring needs no training samples
    clir("evaluate", "model=trained", "hydra.run.dir=scored", cwd=tmp_path)
    assert (tmp_path / "scored" / "metrics.json").is_file()


@pytest.mark.parametrize(("last", "told"), [(100, ""), (150, " sampling.last=150")])
def test_more_negatives_than_hard_reads_by_default_are_told(tmp_path: Path, last: int, told: str) -> None:
    """The run has 160 documents of one query, none of them its own."""
    query, others = "territory:EE", [i for i in build_demo().documents if i.startswith("city:")]
    write_run(Run({query: {document: float(-i) for i, document in enumerate(others[:160])}}), tmp_path / "a.trec")
    shown = clir(
        "mine", "data=demo", "run=a.trec", f"filters.last={last}", "filters.grade=6", "hydra.run.dir=out", cwd=tmp_path
    )
    line = next(line for line in shown.stdout.splitlines() if "train with sampling=hard" in line)
    assert line.endswith(f"out/negatives.trec{told}")


def test_what_cannot_work_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.9 a\n")
    done = clir("mine", "data=demo", "run=a.trec", cwd=tmp_path, check=False)
    assert "a.trec: no negatives are left; widen filters.last or loosen the filters" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_models_own_search_gives_what_its_run_file_gives(dual_run: Path, tmp_path: Path) -> None:
    dense = ("retriever=dense", f"retriever.model={dual_run}", "splits=[train]", "depth=20")
    clir("retrieve", "data=demo", *dense, "hydra.run.dir=first", cwd=tmp_path)
    settings = ("filters.last=20", "filters.margin=0.01")
    clir("mine", "data=demo", "run=first/runs/train.trec", *settings, "hydra.run.dir=file", cwd=tmp_path)
    clir("mine", f"model={dual_run}", *settings, "hydra.run.dir=model", cwd=tmp_path)
    for name in ("negatives.trec", "triples.tsv"):
        of_file = (tmp_path / "file" / name).read_text(encoding="utf-8").splitlines()
        of_model = (tmp_path / "model" / name).read_text(encoding="utf-8").splitlines()
        assert [line.split()[:5] for line in of_model] == [line.split()[:5] for line in of_file]  # the last is a name
        assert len(of_file) > 1000


@pytest.mark.parametrize("given", [(), ("run=a.trec", "model=b")])
def test_a_run_or_a_model_is_asked_for(given: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.9 a\n")
    done = clir("mine", *given, cwd=tmp_path, check=False)
    assert "clir mine: give either run=FILE, of any system, or model=RUN, of architecture=dual" in done.stderr


def test_a_run_file_does_not_tell_its_collection(tmp_path: Path) -> None:
    (tmp_path / "a.trec").write_text("q Q0 x 1 0.9 a\n")
    done = clir("mine", "run=a.trec", cwd=tmp_path, check=False)
    assert "clir mine: run=… does not tell its collection; add data=…, data=demo say" in done.stderr
