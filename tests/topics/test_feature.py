"""`TopicVectors`: a pair's numbers, each text's computed once, and the control."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from clir_lightning.data.batches.features import Prepared
from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError
from clir_lightning.models.tiny import train_tokenizer
from clir_lightning.topics.feature import TopicVectors
from clir_lightning.topics.folder import Topics
from clir_lightning.types import Document, Query
from topics.conftest import write_topics


def pairs(collection: Collection) -> tuple[list[Query], list[Document]]:
    """Every document with every training query."""
    queries = collection.split("train").queries.values()
    found = [(query, document) for query in queries for document in collection.documents.values()]
    return [query for query, _ in found], [document for _, document in found]


class Counted(TopicVectors):
    """Counts the texts that are encoded."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.encoded: list[int] = []

    @property
    def topics(self) -> Topics:
        found = super().topics
        theta = Topics.theta

        class Counting(Topics):
            def theta(inner, records: Any, side: Side, **more: Any) -> Any:  # noqa: N805
                self.encoded.append(len(records))
                return theta(inner, records, side, **more)

        return Counting(found.model, found.encoder, found.vocabularies, found.key)


def test_a_pair_has_both_texts_topics_and_their_product(topics_folder: Path, collection: Collection) -> None:
    queries, documents = pairs(collection)
    feature = Counted(str(topics_folder))
    rows = feature(queries, documents)
    topics = Topics.read(topics_folder)
    asked = {query.id: query for query in queries}
    one = dict(zip(asked, topics.theta(asked, "query"), strict=True))
    other = dict(zip(collection.documents, topics.theta(collection.documents, "document"), strict=True))
    exact = [[*one[q.id], *other[d.id], *one[q.id] * other[d.id]] for q, d in zip(queries, documents, strict=True)]
    assert rows.shape == (8, 6)
    assert rows.dtype == torch.float32
    assert rows.numpy() == pytest.approx(np.array(exact), abs=1e-6)
    assert feature.encoded == [2, 4]  # each text once, however many pairs it is in
    assert torch.equal(feature(queries[:3], documents[:3]), rows[:3])
    assert feature.encoded == [2, 4]


def test_a_splits_texts_are_prepared_once_and_read_from_the_cache(
    topics_folder: Path, collection: Collection, tmp_path: Path
) -> None:
    queries, documents = pairs(collection)
    split = collection.split("train")
    first, second = Counted(str(topics_folder)), Counted(str(topics_folder))
    for feature in (first, first, second):
        feature.prepare(split.queries, split.documents, str(tmp_path / "cache"))
    assert first.encoded == [2, 4]
    assert second.encoded == []  # from the cache
    assert torch.equal(first(queries, documents), second(queries, documents))
    assert first.encoded == [2, 4]
    assert torch.allclose(first(queries, documents), TopicVectors(str(topics_folder))(queries, documents), atol=1e-6)


def test_batches_of_pairs_prepare_it_and_hold_its_numbers(topics_folder: Path, collection: Collection) -> None:
    feature = Counted(str(topics_folder))
    assert isinstance(feature, Prepared)
    batches = PairBatches(max_length=32, features={"topics": feature})
    run = CandidateLists(depth=3).run(collection, "dev", "val")
    candidates = CandidateSet(collection, "dev", run, batches)
    candidates.tokenise(train_tokenizer([each.text for each in collection.documents.values()], 80))
    assert feature.encoded == [1, 4]
    (batch,) = candidates.loader()
    query = collection.split("dev").queries["q3"]
    names = [document for sample in batch.samples for document in sample.document_ids]
    listed = [collection.documents[document] for document in names]
    assert torch.equal(batch.extra["topics"], feature([query] * len(listed), listed))
    assert feature.encoded == [1, 4]


def test_it_goes_to_another_process_without_its_encoder(topics_folder: Path, collection: Collection) -> None:
    queries, documents = pairs(collection)
    feature = TopicVectors(str(topics_folder))
    rows = feature(queries, documents)
    there = pickle.loads(pickle.dumps(feature))
    assert there._topics is None
    assert torch.equal(there(queries, documents), rows)
    assert there._topics is None


def test_the_control_gives_each_text_another_ones_topics_always_the_same(
    topics_folder: Path, collection: Collection
) -> None:
    queries, documents = pairs(collection)
    own = TopicVectors(str(topics_folder))(queries, documents)
    rows = TopicVectors(str(topics_folder), shuffled=1)(queries, documents)
    assert torch.equal(TopicVectors(str(topics_folder), shuffled=1)(queries[::-1], documents[::-1]).flip(0), rows)
    assert not torch.equal(TopicVectors(str(topics_folder), shuffled=2)(queries, documents), rows)
    pool = load_file(topics_folder / "pool.safetensors")
    for side, columns in (("query", slice(0, 2)), ("document", slice(2, 4))):
        for row, mine in zip(rows[:, columns], own[:, columns], strict=True):
            assert bool((pool[side] == row).all(dim=1).any())  # of a text that the folder keeps
            assert not torch.allclose(row, mine, atol=1e-6)
    assert torch.allclose(rows[:, 4:], rows[:, :2] * rows[:, 2:4])


def test_the_fingerprint_is_the_contents_and_the_controls(topics_folder: Path, tmp_path: Path) -> None:
    first = TopicVectors(str(topics_folder)).fingerprint()
    assert first != TopicVectors(str(topics_folder), shuffled=1).fingerprint()
    topics_folder.rename(tmp_path / "moved")
    assert TopicVectors(str(tmp_path / "moved")).fingerprint() == first
    with pytest.raises(ConfigError, match=r"topics\.json is missing; give a folder that clir topics wrote"):
        TopicVectors(str(topics_folder))


def test_a_text_without_any_known_word_has_topics_too(topics_folder: Path) -> None:
    rows = TopicVectors(str(topics_folder))([Query("q", "?!", "zh")], [Document("d", "zzz", "kk")])
    assert bool(rows.isfinite().all())
    assert float(rows[0, :2].sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shuffled", [None, 7])
def test_topics_that_are_replaced_before_they_are_read_are_not_taken_for_those_that_were_there(
    shuffled: int | None, topics_folder: Path, collection: Collection, tmp_path: Path
) -> None:
    feature = TopicVectors(str(topics_folder), shuffled)
    write_topics(collection, topics_folder, seed=9)
    with pytest.raises(ConfigError, match="were replaced since this command began; start it again"):
        feature.prepare(collection.split("train").queries, collection.documents, str(tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "topics").glob("[!.]*"))


def test_another_pool_is_not_taken_for_the_one_that_was_there(topics_folder: Path, collection: Collection) -> None:
    feature = TopicVectors(str(topics_folder), shuffled=7)
    assert feature.topics.model.topics == 2
    write_topics(collection, topics_folder, seed=9)
    with pytest.raises(ConfigError, match="were replaced since this command began"):
        feature(*pairs(collection))
