"""`sweep=original_table` at the size of the demo, from one command to the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from program import RANDOM, clir

HEADS = ("cross", "vanilla", "cedr_knrm", "cedr_pacrr", "cedr_drmm")


@pytest.mark.slow
def test_one_command_ends_with_the_table_of_all_heads(tmp_path: Path) -> None:
    done = clir(
        "train",
        "sweep=original_table",
        "encoder=tiny",
        RANDOM,
        "seed=1,2",
        "trainer.max_epochs=1",
        "+trainer.limit_train_batches=1",
        "candidates.val_queries=2",
        "candidates.test_queries=4",
        "hydra.sweep.dir=table",
        cwd=tmp_path,
    )
    assert "10 jobs finished, 0 failed" in done.stdout
    table = (tmp_path / "table" / "comparison" / "comparison.md").read_text(encoding="utf-8")
    for head in HEADS:
        row = next(line for line in table.splitlines() if line.startswith(f"| {head} "))
        assert row.count("±") == 4  # two seeds, four measures
