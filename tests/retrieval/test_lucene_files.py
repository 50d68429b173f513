"""Lucene's run files, read a topic at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.retrieval.java import JavaError
from clir_lightning.retrieval.lucene_files import read_hits


def test_hits_are_read_topic_by_topic_with_empty_ones_between(tmp_path: Path) -> None:
    run = tmp_path / "run.trec"
    run.write_text("000000001 Q0 000000007 1 2.5 A\n000000001 Q0 000000002 2 1.5 A\n000000003 Q0 000000000 1 9 A\n")
    assert list(read_hits(run, 5)) == [{}, {7: 2.5, 2: 1.5}, {}, {0: 9.0}, {}]
    with pytest.raises(JavaError, match="wrote topic 3 after 1"):
        list(read_hits(run, 3))
