"""`clir train architecture=graph` on the demo and its graph, and the model read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_run
from program import SHORT, clir


@pytest.mark.slow
def test_it_trains_on_the_demo_and_scores_as_its_training_did(tmp_path: Path) -> None:
    settings = ("architecture=graph", "architecture.layer=rgcn", "architecture.relations=4")
    more = ("architecture.alignment.weight=0.1", "architecture.pagerank=true", "candidates.test_queries=5")
    clir("train", *SHORT, *settings, *more, "hydra.run.dir=out", cwd=tmp_path)
    config = json.loads((tmp_path / "out" / "model" / "clir.json").read_text())["config"]
    assert config["batches"]["knowledge"]["pagerank"] is True

    clir("evaluate", "model=out", "split=test1", "hydra.run.dir=again", cwd=tmp_path)
    first, second = (read_run(tmp_path / folder / "runs" / "test.trec") for folder in ("out", "again"))
    assert len(first) == 5
    for query in first:
        assert first[query] == pytest.approx(second[query], abs=1e-5)
