"""Translation pairs as a collection to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.joined import join_collections
from clir_lightning.data.sources.term_pairs import read_translations
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.types import Document, Query
from program import SHORT, clir

TERMS = "法语\tфранцуз тілі\n法语\tфранцузша\n德语\tнеміс тілі\n法语\tфранцуз тілі\n语言\tтіл\n"


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "terms.tsv").write_text(TERMS, encoding="utf-8")
    return str(tmp_path / "terms.tsv")


@pytest.mark.parametrize("cached", [False, True])
def test_terms_ask_for_their_translations(table: str, tmp_path: Path, cached: bool) -> None:
    cache = str(tmp_path / "cache") if cached else None
    found = read_translations([table], query_language="zh", document_language="kk", negatives=1, cache=cache)
    assert list(found.splits) == ["train"]
    assert dict(found.documents) == {
        f"d{i}": Document(f"d{i}", text, "kk")
        for i, text in enumerate(["француз тілі", "французша", "неміс тілі", "тіл"])
    }
    train = found.split("train")
    assert dict(train.queries) == {f"q{i}": Query(f"q{i}", t, "zh") for i, t in enumerate(["法语", "德语", "语言"])}
    assert dict(train.qrels.relevant("q0")) == {"d0": 1, "d1": 1}
    for query in train.queries:
        grades = list(train.qrels[query].values())
        assert grades.count(0) == 1
        assert len(grades) == (3 if query == "q0" else 2)
    with pytest.raises(ConfigError, match=r"data\.paths is empty"):
        read_translations([], query_language="zh", document_language="kk")
    with pytest.raises(DataError, match=r"missing.tsv: no such file"):
        read_translations([str(tmp_path / "missing.tsv")], query_language="zh", document_language="kk", cache=cache)


@pytest.mark.slow  # Lucene's rows of a new collection
def test_they_join_a_collection(collection: Collection, table: str, tmp_path: Path) -> None:
    joined = join_collections(
        {"main": collection, "terms": read_translations([table], query_language="zh", document_language="kk")}
    )
    assert list(joined.split("train").queries) == ["q1", "q2", "terms/q0", "terms/q1", "terms/q2"]
    parts = ("+data@data.collections.demo=demo", "+data@data.collections.terms=translations")
    done = clir(
        "train",
        "data=several",
        *parts,
        f"data.collections.terms.paths=[{table}]",
        *SHORT,
        "candidates.test_queries=3",
        cwd=tmp_path,
    )
    assert "demo+translations: 2907 documents; queries: train 2558" in done.stderr + done.stdout
