"""`clir train architecture=dual` and `late` on the demo, and the checkpoint read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_run
from program import SHORT, clir


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["dual", "late"])
def test_a_checkpoint_scores_as_its_training_did(architecture: str, tmp_path: Path) -> None:
    settings = (f"architecture={architecture}", "candidates.test_queries=5", "batches.query_prefix='query: '")
    clir("train", *SHORT, *settings, "hydra.run.dir=out", cwd=tmp_path)
    clir("evaluate", "model=out", "split=test1", "hydra.run.dir=again", cwd=tmp_path)
    first, second = (read_run(tmp_path / folder / "runs" / "test.trec") for folder in ("out", "again"))
    assert len(first) == 5
    for query in first:
        assert first[query] == pytest.approx(second[query], abs=1e-5)


def test_a_contrastive_loss_of_pairs_is_rejected(tmp_path: Path) -> None:
    done = clir("train", *SHORT, "loss=[infonce]", cwd=tmp_path, check=False)
    assert "loss infonce needs the similarities of all texts of a step" in done.stderr
    assert "use architecture=dual or architecture=late" in done.stderr
    assert "Traceback" not in done.stderr
