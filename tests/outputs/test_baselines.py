"""The rows around a table: they come after the results, and one that fails costs a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.outputs import baselines as module
from clir_lightning.outputs.baselines import bounding_rows
from clir_lightning.retrieval.baseline import Baseline
from clir_lightning.types import Run


def test_results_are_written_before_the_baselines(demo_run: Path) -> None:
    written = {name: (demo_run / name).stat().st_mtime_ns for name in ("metrics.json", "per_query.csv")}
    assert max(written.values()) <= (demo_run / "runs" / "test.bm25.trec").stat().st_mtime_ns
    assert '"baselines":' in (demo_run / "provenance.json").read_text()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("two\nlines"), OSError("no room")])
def test_a_baseline_that_fails_costs_its_row_and_is_noted(
    error: Exception, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = RankingDataModule(
        collection, PairBatches(), sampling=BestAgainstRandom(), candidates=CandidateLists(depth=3)
    )

    scored = data.candidates["test"]

    def row(*_: object, own_names: bool, **__: object) -> Baseline:
        if own_names:
            raise error
        return Baseline(Run(scored.run.by_query, name="BM25 (x)"), below=2)

    monkeypatch.setattr(module, "bm25_row", row)
    rows, notes = bounding_rows(data, Pool.of(scored.run, scored.qrels), tmp_path)
    assert [row.name for row in rows] == ["random order", "BM25 (x)", "ideal"]
    assert notes[0].startswith("BM25 (x): 2 of 3 candidates are not among the first 10,000")
    cause = {"MemoryError": "MemoryError", "RuntimeError": "two lines", "OSError": "no room"}[type(error).__name__]
    assert notes[1] == f"the row bm25_own_names is missing: {cause}"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["test.bm25.trec"]
