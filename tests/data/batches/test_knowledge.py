"""What a graph knows of queries and documents goes the whole way beside the tokens of their pairs."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.knowledge import KnowledgeBatch, Neighbourhoods, numbers_of
from clir_lightning.data.batches.pairs import PairBatch, Step
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.types import Document, Sample
from data.knowledge_for_tests import AROUND, Hand
from data.tokenizers_for_tests import bert_like

HAND = Hand({"q1": 0}, {"a": 1, "b": 4}, mass={(0, 1): 0.25, (0, 4): 0.5})
ZH, KK = "哈萨克语 — 语言", "қазақ тілі — тіл"


def dataset(collection: Collection, knowledge: Hand = HAND, **settings: Any) -> Any:
    batches = PairBatches(knowledge=knowledge, **settings)
    tokenizer = bert_like()
    split = collection.split("train")
    return batches.dataset(split, batches.documents(split.documents, tokenizer), tokenizer, name="train")


def of(batch: PairBatch) -> KnowledgeBatch:
    assert batch.knowledge is not None
    return batch.knowledge


def read(known: KnowledgeBatch) -> list[list[list[str | None]]]:
    """The texts that members hold, as tokens of the tests' tokenizer read back, `[M, N, L]`."""
    tokenizer = bert_like()
    texts: list[Any] = [tokenizer.decode(ids, skip_special_tokens=True) for ids in known.texts.input_ids]
    return [[[texts[row] if row >= 0 else None for row in languages] for languages in one] for one in known.members]


def spelt(text: str | None) -> str | None:
    """A text as the tokenizer reads it back."""
    tokenizer = bert_like()
    return None if text is None else str(tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True))


def expected(*entities: int) -> list[list[list[str | None]]]:
    width = max(len(AROUND[entity]) for entity in entities)
    rows = [[[spelt(zh), spelt(kk)] for _, _, zh, kk in AROUND[entity]] for entity in entities]
    return [row + [[None, None]] * (width - len(row)) for row in rows]


def test_a_batch_holds_the_neighbourhoods_of_its_own_queries_and_documents(collection: Collection) -> None:
    made = dataset(collection)
    known = of(made[Step([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))])])

    # Rows of the table: 0 of entity 0, 1 of entity 4, 2 of entity 1.
    assert known.query.tolist() == [0, 0, -1, -1]
    assert known.document.tolist() == [2, 1, 1, -1]
    assert known.mass.tolist() == [0.25, 0.5, 0, 0]
    assert known.entities.tolist() == [[0, 1, 2], [4, -1, -1], [1, 0, -1]]
    assert known.relations.tolist() == [[0, 3, 5], [0, 0, 0], [0, 2, 0]]
    assert read(known) == expected(0, 4, 1)
    assert len(known.texts) == len(known.numbers) == 6  # each distinct text once

    # Another batch has its own places: entity 4 alone, one member wide.
    few = of(made[Step([Sample("q2", ("b", "d"), (6, 0))])])
    assert few.query.tolist() == [-1, -1]
    assert few.document.tolist() == [0, -1]
    assert read(few) == expected(4)
    assert few.numbers.tolist() == numbers_of({"f": Document("f", "法语", "zh")}).tolist()


def test_a_query_that_comes_twice_has_one_neighbourhood(collection: Collection) -> None:
    known = of(dataset(collection)[Step([Sample("q1", ("d", "b"), (1, 0)), Sample("q1", ("c", "d"), (1, 0))])])
    assert known.query.tolist() == [0, 0, 0, 0]
    assert known.document.tolist() == [-1, 1, -1, -1]
    assert len(known.members) == 2


def test_nothing_linked_leaves_a_text_and_no_neighbourhood(collection: Collection) -> None:
    known = of(dataset(collection, Hand())[Step([Sample("q1", ("a", "b"), (6, 0))])])
    assert known.members.shape == (0, 0, 2)
    assert known.query.tolist() == known.document.tolist() == [-1, -1]
    assert len(known.texts) == 1

    # A graph without a text gives none.
    known = of(dataset(collection, Hand(around={}))[Step([Sample("q1", ("a", "b"), (6, 0))])])
    assert len(known.texts) == len(known.numbers) == 0
    assert known.query.tolist() == [-1, -1]


def test_rows_are_reordered_and_cut_with_the_pairs_and_the_rest_is_shared(collection: Collection) -> None:
    batch = dataset(collection)[Step([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))])]
    turned = of(batch.pairs(np.array([3, 1, 0])))
    assert turned.query.tolist() == [-1, 0, 0]
    assert turned.document.tolist() == [-1, 1, 2]
    assert turned.mass.tolist() == [0, 0.5, 0.25]
    assert turned.texts is of(batch).texts

    first, second = batch.parts(1)
    assert of(first).query.tolist() == [0, 0]
    assert of(second).document.tolist() == [1, -1]
    assert of(second).members is of(batch).members


def test_knowledge_moves_with_its_batch_and_its_numbers_stay(collection: Collection) -> None:
    batch = dataset(collection)[Step([Sample("q1", ("a", "b"), (6, 0))])]
    moved = of(batch.to(torch.device("meta")))
    tensors = (moved.members, moved.entities, moved.relations, moved.query, moved.document, moved.mass)
    assert {tensor.device.type for tensor in (*tensors, moved.texts.input_ids)} == {"meta"}
    assert moved.numbers.device.type == "cpu"


def test_texts_are_cut_to_their_own_length(collection: Collection) -> None:
    known = of(dataset(collection, knowledge_length=4)[Step([Sample("q1", ("a", "b"), (6, 0))])])
    assert max(known.texts.lengths) == known.texts.input_ids.shape[1] == 4
    with pytest.raises(ConfigError, match="leaves no room"):
        dataset(collection, knowledge_length=2)


def test_numbers_tell_texts_apart_whatever_their_table_and_place() -> None:
    one = numbers_of({"x": Document("x", ZH, "zh"), "y": Document("y", KK, "kk")})
    other = numbers_of({"z": Document("z", KK, "")})
    assert one[1] == other[0] != one[0]


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_make_the_same_batches(collection: Collection, start: str) -> None:
    made = dataset(collection)
    step = Step([Sample("q1", ("a", "b"), (6, 0))])
    with multiprocessing.get_context(start).Pool(1) as pool:
        there = of(pool.apply(made.__getitem__, (step,)))
    assert read(there) == read(of(made[step]))
    assert there.numbers.tolist() == of(made[step]).numbers.tolist()


def test_the_tokens_of_texts_are_stored_once(collection: Collection, tmp_path: Any) -> None:
    split = collection.split("train")
    tokenizer = bert_like()
    table = HAND.table(split.queries, split.documents)
    stored = Neighbourhoods.of(table, tokenizer, length=8, name="train", cache=str(tmp_path))
    fresh = Neighbourhoods.of(table, tokenizer, length=8, name="train")
    pairs = (["q1", "q2"], ["a", "d"])
    assert stored.batch(*pairs).texts.input_ids.tolist() == fresh.batch(*pairs).texts.input_ids.tolist()
    assert len(list((tmp_path / "tokens").glob("[!.]*"))) == 1
