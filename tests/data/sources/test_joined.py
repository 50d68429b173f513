"""Several collections joined: trained on all of them, judged on the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.data.sources.joined import join_collections
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.errors import ConfigError
from clir_lightning.types import Document, Qrels, Query, Run
from program import SHORT, clir


@pytest.mark.parametrize("cached", [False, True])
def test_train_is_of_all_and_the_rest_of_the_first(
    collection: Collection, clirmatrix_folder: Callable[..., Path], tmp_path: Path, cached: bool
) -> None:
    cache = str(tmp_path / "cache") if cached else None
    files = read_clirmatrix(str(clirmatrix_folder()), query_language="zh", document_language="kk", cache=cache)
    parts = {"files": files, "more": files} if cached else {"small": collection, "files": files}
    first, second = parts.values()
    joined = join_collections(parts, cache=cache)
    name = list(parts)[1]
    assert isinstance(joined.documents, RecordTable) is cached
    assert len(joined.documents) == len(first.documents) + len(second.documents)
    assert joined.documents[f"{name}/d3"] == Document(f"{name}/d3", "құжат 3 — мәтін", "kk")
    train = joined.split("train")
    assert list(train.queries) == [*first.split("train").queries, *(f"{name}/train{i}" for i in range(4))]
    assert train.qrels[f"{name}/train2"] == {f"{name}/d2": 6, f"{name}/d3": 0}
    for split in ("dev", "test1"):
        assert dict(joined.split(split).queries) == dict(first.split(split).queries)
        assert dict(joined.split(split).qrels) == dict(first.split(split).qrels)


def test_the_firsts_candidates_come_along_but_not_for_training(collection: Collection) -> None:
    run = Run({"q3": {"a": 1.0}}, name="first stage")
    splits = {name: Split(part.queries, part.qrels, run) for name, part in collection.splits.items()}
    joined = join_collections({"a": replace(collection, splits=splits), "b": collection})
    assert joined.split("dev").run == run
    assert joined.split("train").run is None


@pytest.mark.parametrize("cached", [False, True])
def test_an_id_that_two_collections_would_share_is_rejected_instead_of_losing_one(
    collection: Collection, tmp_path: Path, cached: bool
) -> None:
    """`b/a` of the first collection is what `a` of the collection `b` would be called, among documents or queries."""
    cache, key = (str(tmp_path), "k") if cached else (None, "")
    documents = {**collection.documents, "b/a": Document("b/a", "басқа", "kk")}
    first, second = replace(collection, documents=documents, key=key), replace(collection, key=key)
    with pytest.raises(
        ConfigError, match=r"data\.collections\.b: its document 'a' would be called 'b/a', as one of .*a"
    ):
        join_collections({"a": first, "b": second}, cache=cache)
    train = collection.split("train")
    clashing = Split(
        {**train.queries, "b/q1": Query("b/q1", "别的", "zh")}, Qrels({**train.qrels, "b/q1": {"a": 1}}), None
    )
    first = replace(collection, splits={**collection.splits, "train": clashing}, key=key)
    with pytest.raises(ConfigError, match=r"its query 'q1' would be called 'b/q1', as one of data\.collections\.a is"):
        join_collections({"a": first, "b": second}, cache=cache)
    joined = join_collections(
        {"a": replace(first, documents=documents), "c": second}, cache=cache
    )  # the cure that it names
    assert {"b/a", "c/a", "a"} < set(joined.documents)
    assert {"b/q1", "c/q1", "q1"} < set(joined.split("train").queries)


def test_slashes_in_ids_that_nobody_shares_cause_no_trouble(collection: Collection) -> None:
    documents = {i: Document(i, i, "kk") for i in (*collection.documents, "b/e", "c/a", "a/a", "b", "b/b/a", "/a")}
    joined = join_collections({"a": replace(collection, documents=documents), "b": collection})
    assert set(joined.documents) == {*documents, "b/a", "b/b", "b/c", "b/d"}


def test_what_cannot_be_joined_is_rejected(collection: Collection) -> None:
    with pytest.raises(ConfigError, match=r"data=several has no collections; add some: \+data@"):
        join_collections({})
    english = {i: replace(document, language="en") for i, document in collection.documents.items()}
    with pytest.raises(ConfigError, match=r"data.collections.b is zh→en, a is zh→kk; collections"):
        join_collections({"a": collection, "b": replace(collection, documents=english)})
    with pytest.raises(ConfigError, match="a name goes before ids"):
        join_collections({"a b": collection})
    rest = {name: part for name, part in collection.splits.items() if name != "train"}
    with pytest.raises(ConfigError, match=r"split of data.collections.b is 'train'; allowed: dev, test1"):
        join_collections({"a": collection, "b": replace(collection, splits=rest)})


@pytest.mark.slow  # Lucene's rows of a new collection
def test_a_training_on_two(clirmatrix_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = clirmatrix_folder()
    names = ("+data@data.collections.demo=demo", "+data@data.collections.files=clirmatrix")
    few = "candidates.test_queries=7"
    done = clir("train", "data=several", *names, f"data.collections.files.path={folder}", *SHORT, few, cwd=tmp_path)
    assert "demo+" in done.stdout
    assert "7 queries" in done.stdout
