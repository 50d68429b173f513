"""Steps and batches of a topic model's training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from clir_lightning.errors import DataError
from clir_lightning.topics.batches import TopicDataset, TopicSteps, TopicTexts
from clir_lightning.topics.words import Links


def test_an_epoch_reads_each_text_once_in_an_order_of_its_own() -> None:
    steps = TopicSteps({"document": 11, "query": 7}, size=4, seed=3)
    assert len(steps) == 2
    first = [step.rows for step in steps]
    for side, number in (("document", 11), ("query", 7)):
        rows = np.concatenate([step[side] for step in first])  # type: ignore[index]
        assert sorted(rows.tolist()) == list(range(number))
    again = [step.rows["document"].tolist() for step in steps]
    assert again == [step["document"].tolist() for step in first]
    steps.set_epoch(1)
    assert again != [step.rows["document"].tolist() for step in steps]


def test_no_step_has_less_than_two_texts_of_a_side() -> None:
    steps = TopicSteps({"document": 100, "query": 5}, size=2)
    assert min(len(rows) for step in steps for rows in step.rows.values()) >= 2


def test_terms_of_a_step_are_all_links_among_its_terms() -> None:
    links = Links(sp.eye(3).tocsr(), sp.eye(3).tocsr(), np.array([[0, 0], [0, 2], [2, 2]]))
    texts = TopicTexts(np.zeros((4, 2), np.float32), sp.eye(4).tocsr())
    step = next(iter(TopicSteps({"document": 4}, size=4, pairs=3, terms=9)))
    assert sorted(step.pairs.tolist()) == [0, 1, 2]
    terms = TopicDataset({"document": texts}, links)[step].terms
    assert terms is not None
    assert terms.words["query"].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert terms.linked.tolist() == [[True, True], [False, True]]


def test_a_batch_goes_to_a_device_with_all_that_it_holds() -> None:
    links = Links(sp.eye(2).tocsr(), sp.eye(2).tocsr(), np.array([[0, 0], [1, 1]]))
    texts = TopicTexts(np.ones((4, 2), np.float32), sp.eye(4).tocsr())
    batch: Any = TopicDataset({"document": texts}, links)[next(iter(TopicSteps({"document": 4}, pairs=2)))]
    there = batch.to(torch.device("meta"))
    assert there.vectors["document"].is_meta
    assert there.counts["document"].is_meta
    assert there.terms.words["query"].is_meta
    assert there.terms.linked.is_meta


def test_texts_without_any_word_are_left_out() -> None:
    counts = sp.csr_matrix(np.array([[1, 0], [0, 0], [0, 2]]))
    texts = TopicTexts.of(np.arange(6, dtype=np.float32).reshape(3, 2), counts, "documents")
    assert texts.vectors.tolist() == [[0, 1], [4, 5]]
    with pytest.raises(DataError, match="1 of 2 documents have words of the vocabulary"):
        TopicTexts.of(np.zeros((2, 2), np.float32), counts[:2], "documents")
