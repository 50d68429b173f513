"""What a training leaves: its files, the table between its bounds, and the scores that W&B gets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import read_qrels, write_run
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.evaluation.evaluate import Evaluation, evaluate
from clir_lightning.outputs import results as module
from clir_lightning.outputs.results import RUN, Results
from clir_lightning.types import Run


@pytest.fixture
def results(collection: Collection, tmp_path: Path) -> Results:
    """Those of a system that ranks every list by its grades."""
    data = RankingDataModule(
        collection, PairBatches(), sampling=BestAgainstRandom(), candidates=CandidateLists(depth=3)
    )
    evaluations = {}
    for stage, scored in data.candidates.items():
        grades = {query: {d: float(scored.qrels[query].get(d, 0)) for d in scored.run[query]} for query in scored.run}
        run = Run(grades, name="ideal ranker")
        write_run(run, tmp_path / "runs" / f"{stage}.trec")
        evaluations[stage] = evaluate(run, scored.qrels)
    return Results("ours", tmp_path, data, evaluations)


def test_judgements_and_measures_are_written(results: Results) -> None:
    results.write()
    for stage, scored in results.data.candidates.items():
        assert read_qrels(results.folder / "runs" / f"{stage}.qrels").by_query == dict(scored.qrels.items())
    written = json.loads((results.folder / "metrics.json").read_text(encoding="utf-8"))
    assert written == {stage: results.evaluations[stage].means for stage in ("val", "test")}
    assert (results.folder / "per_query.csv").is_file()


def bound(name: str, value: float) -> Evaluation:
    return evaluate(Run({"q": {"d": value}}, name=name), {"q": {"d": 1}})


def test_the_result_stands_between_its_bounds(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.show([bound("random order", 0.0), bound("best", 1.0)], ["a note"])
    said = capsys.readouterr().out
    places = [said.index(text) for text in ("random order", "ours (this run)", "best", "note: a note", "files: ")]
    assert places == sorted(places)


def test_scores_of_relevant_documents_are_told_from_others(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def report(_: Sequence[Any], **shown: Any) -> None:
        given.update(shown)

    monkeypatch.setattr(module, "report", report)
    results.log([], [bound("random order", 0.0)])
    scores: Mapping[str, list[float]] = given["scores"]
    scored = results.data.candidates["test"]
    assert set(scores["other"]) == {0.0}
    assert min(scores["relevant"]) >= 1.0
    assert len(scores["relevant"]) + len(scores["other"]) == sum(len(scored.run[query]) for query in scored.run)
    assert [row.name for row in given["systems"]] == ["random order", "ideal ranker"]
    assert given["files"]["run"] == results.folder / RUN
