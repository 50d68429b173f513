"""Queries and documents apart: token ids equal the tokenizer's own, each document is encoded once."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.pairs import Step
from clir_lightning.data.batches.scoring import TextScoring
from clir_lightning.data.batches.texts import Encode, Rank, TextDataset
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.data.tokens.texts import TextAssembler, TextTemplate
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run, Sample
from data.tokenizers_for_tests import bert_like, xlmr_like


def dataset(collection: Collection, tokenizer: PreTrainedTokenizerBase) -> TextDataset:
    queries = {i: query for split in collection.splits.values() for i, query in split.queries.items()}
    return TextDataset(
        TextAssembler(tokenise(queries, tokenizer, name="q"), TextTemplate.of(tokenizer, "query: "), 32),
        TextAssembler(tokenise(collection.documents, tokenizer, name="d"), TextTemplate.of(tokenizer), 32),
        collection.split("train").qrels,
    )


@pytest.mark.parametrize("make", [bert_like, xlmr_like])
def test_ids_are_the_tokenizers_own(collection: Collection, make: object) -> None:
    tokenizer = bert_like() if make is bert_like else xlmr_like()
    batch = dataset(collection, tokenizer)[Step([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))])]
    texts = ["query: 哈萨克语", "query: 法语"]
    expected = tokenizer(texts, padding=True, return_tensors="pt")
    assert batch.queries.input_ids.tolist() == expected["input_ids"].tolist()
    assert batch.queries.attention_mask.tolist() == expected["attention_mask"].tolist()
    documents = [collection.documents[i].text for i in ("a", "b", "b", "d")]
    assert batch.documents.input_ids.tolist() == tokenizer(documents, padding=True)["input_ids"]


def test_the_cut_keeps_the_end_token(collection: Collection) -> None:
    tokenizer = bert_like()
    table = tokenise(collection.documents, tokenizer, name="d")
    short = TextAssembler(table, TextTemplate.of(tokenizer), 4)
    texts = [document.text for document in collection.documents.values()]
    expected = tokenizer(texts, padding=True, truncation=True, max_length=4)["input_ids"]
    rows = table.index.rows(list(collection.documents))
    assert short.texts(rows).input_ids.tolist() == expected
    with pytest.raises(ConfigError, match="raise it to 3 or more"):
        TextAssembler(table, TextTemplate.of(tokenizer), 2)


def test_relevant_documents_are_named(collection: Collection) -> None:
    made = dataset(collection, bert_like())
    batch = made[Step([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))])]
    rows = {i: int(made.documents.table.index.rows([i])[0]) for i in "abcd"}
    assert [sorted(row) for row in batch.relevant.tolist()] == [[-1, rows["a"]], sorted([rows["a"], rows["b"]])]


def test_an_unjudged_positive_of_triples_is_relevant_to_every_query_that_has_it(collection: Collection) -> None:
    """d has no judgement for q1: its two samples, on two processes, share it with q2 as a positive or a negative."""
    made = dataset(collection, bert_like())
    rows = {i: int(made.documents.table.index.rows([i])[0]) for i in "abcd"}
    first, second = Sample("q1", ("d", "b"), (1, 0)), Sample("q2", ("d", "c"), (0, 0))
    other = Sample("q1", ("c", "b"), (0, 0))
    whole = [first, second, other]
    batch = made[Step([first, second], whole=whole)]
    relevant = [{row for row in rows_of if row >= 0} for rows_of in batch.relevant.tolist()]
    assert relevant == [{rows["a"], rows["d"], rows["c"]}, {rows["b"], rows["a"], rows["d"]}]
    again = made[Step([other])]
    assert {row for row in again.relevant[0].tolist() if row >= 0} == {rows["a"], rows["c"]}


def test_each_document_is_encoded_once_and_before_it_is_ranked(collection: Collection) -> None:
    made = dataset(collection, bert_like())
    candidates = Run({"q1": {"a": 1.0, "b": 0.0}, "q2": {"b": 1.0, "c": 0.0}, "q3": {"c": 1.0}})
    seen: list[int] = []
    ranked = []
    for step in TextScoring(candidates, queries=made.queries, documents=made.documents, size=2):
        batch = made[step]
        if isinstance(step, Encode):
            assert not batch.samples
            seen += batch.rows.tolist()
        else:
            assert isinstance(step, Rank)
            assert set(batch.rows.tolist()) <= set(seen)
            assert len(batch.documents) == 0
            ranked += [sample.query_id for sample in batch.samples]
    assert len(seen) == len(set(seen)) == 3
    assert sorted(ranked) == ["q1", "q2", "q3"]


def test_every_process_has_a_query_to_score(collection: Collection) -> None:
    """Lightning leaves a pass without batches out, and the other processes would wait for it for ever."""
    made = dataset(collection, bert_like())
    run = Run({"q1": {"a": 1.0, "b": 0.0}})
    for rank in range(3):
        place = {"rank": rank, "world_size": 3}
        scoring = TextScoring(run, queries=made.queries, documents=made.documents, **place)
        ranked = [sample.query_id for step in scoring if isinstance(step, Rank) for sample in step.samples]
        assert ranked == ["q1"]
    assert len(TextScoring(Run({}), queries=made.queries, documents=made.documents)) == 0


@pytest.mark.parametrize("world", [2, 3, 5])
def test_processes_share_documents_by_length_and_come_to_the_queries_together(
    collection: Collection, world: int
) -> None:
    """Each document once over all processes, though queries of several ask for it; some processes have none."""
    made = dataset(collection, bert_like())
    run = Run({"q1": dict.fromkeys("abcd", 0.0), "q2": dict.fromkeys("bcd", 0.0), "q3": dict.fromkeys("ca", 0.0)})
    processes = [
        list(TextScoring(run, queries=made.queries, documents=made.documents, size=1, rank=rank, world_size=world))
        for rank in range(world)
    ]
    encoded = [[row for step in steps if isinstance(step, Encode) for row in step.rows] for steps in processes]
    assert sorted(row for share in encoded for row in share) == sorted(made.documents.table.index.rows([*"abcd"]))
    assert [len(share) for share in encoded] == [len(range(rank, 4, world)) for rank in range(world)]
    by_length = sorted(made.documents.lengths(made.documents.table.index.rows([*"abcd"])), reverse=True)
    for rank, share in enumerate(encoded):
        assert made.documents.lengths(np.array(share, np.int64)).tolist() == by_length[rank::world]

    # Equally many steps of documents, then queries: each process waits for the others once, at its first query.
    kinds = [[type(step) for step in steps] for steps in processes]
    first = [names.index(Rank) for names in kinds]
    assert len(set(first)) == 1
    assert all(names == [Encode] * first[0] + [Rank] * (len(names) - first[0]) for names in kinds)
    assert all(len(made[step].documents) == len(step.rows) for step in processes[-1] if isinstance(step, Encode))
