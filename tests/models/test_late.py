"""Late interaction against plain loops over the tokens of queries and documents; padding never counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from clir_lightning.data.tokens.texts import Texts
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction, max_sim
from models.conftest import Batches
from models.fakes import Array, TableEncoder, array, states, texts, unit

QUERIES = ([3, 7, 9, 4], [8], [5, 12])
DOCUMENTS = ([11, 2, 6], [4, 4, 9, 1, 13], [20], [3, 8])


def late(**settings: Any) -> LateInteraction:
    torch.manual_seed(1)
    encoder: Any = TableEncoder()
    return LateInteraction(encoder, dimension=4, **settings)


def vectors(model: LateInteraction, ids: list[int]) -> Array:
    """The unit vectors of a text's own tokens, `[T, P]`."""
    weight = array(model.projection.weight)
    return unit(np.stack([weight @ state for state in states(model.encoder, ids)]))


def naive(query: Array, document: Array) -> float:
    return sum(max(float(q @ d) for d in document) for q in query)


def test_token_vectors_are_projected_of_length_1_and_zero_at_padding() -> None:
    model = late()
    found = array(model.encode(texts(*QUERIES, room=2), "query"))
    assert found.shape == (3, 6, 4)
    for row, ids in zip(found, QUERIES, strict=True):
        assert row[: len(ids)] == pytest.approx(vectors(model, ids), rel=1e-5, abs=1e-6)
        assert np.all(row[len(ids) :] == 0)


def test_a_score_is_the_sum_of_each_query_tokens_best_document_token() -> None:
    model = late()
    found = model.similarity(
        model.encode(texts(*QUERIES, room=1), "query"), model.encode(texts(*DOCUMENTS), "document")
    )
    expected = [[naive(vectors(model, q), vectors(model, d)) for d in DOCUMENTS] for q in QUERIES]
    assert array(found) == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)


def test_max_sim_by_hand_where_all_tokens_point_away() -> None:
    """The best of −.6 and −1 is −.6, and the padding's 0 is no better; the query's second place is padding too."""
    queries = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    documents = torch.tensor([[[-0.6, 0.8], [-1.0, 0.0], [0.0, 0.0]]])
    assert max_sim(queries, documents).tolist() == [[pytest.approx(-0.6)]]


def test_a_document_without_tokens_scores_0_and_breaks_no_gradient() -> None:
    """A row that fills up a process's share; the masked loss over it must not turn a learnt temperature into NaN."""
    queries = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    documents = torch.tensor([[[0.6, 0.8]], [[0.0, 0.0]]])
    scale = torch.tensor(2.0, requires_grad=True)
    scores = max_sim(queries, documents)
    assert scores.tolist() == [[pytest.approx(0.6), 0.0]]
    masked = (scores * scale).masked_fill(torch.tensor([[False, True]]), -torch.inf)
    total: Any = masked.logsumexp(dim=1).sum()
    total.backward()
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(0.6)
    assert queries.grad is not None
    assert queries.grad.tolist() == [[[pytest.approx(1.2), pytest.approx(1.6)]]]


def plain(queries: Tensor, documents: Tensor) -> Tensor:
    """The paper's formula over all products at once; of equal ones the first is the greatest."""
    products = torch.einsum("bqp,ndp->bnqd", queries, documents)
    found = (documents != 0).any(dim=-1)
    best = products.masked_fill(~found[None, :, None], -torch.inf).max(dim=-1).values
    return best.masked_fill(~found.any(dim=-1)[None, :, None], 0.0).sum(dim=-1)


LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=6)


@given(lengths=st.tuples(LENGTHS, LENGTHS), room=st.integers(1, 3), cells=st.integers(1, 600), equal=st.booleans())
@settings(max_examples=80, deadline=None)
def test_scores_and_gradients_are_those_of_all_products_at_once(
    lengths: tuple[list[int], list[int]], room: int, cells: int, equal: bool
) -> None:
    """However few documents are compared at a time; with texts of no token, and with tokens that are equal."""
    random = torch.Generator().manual_seed(len(lengths[0]))
    sides = []
    for counts in lengths:
        table = torch.randn(3 if equal else 60, 5, generator=random, dtype=torch.double)
        places = torch.randint(len(table), (len(counts), max(counts) + room), generator=random)
        mask = torch.arange(places.shape[1]) < torch.tensor(counts)[:, None]
        sides.append((normalize(table[places], dim=-1) * mask[:, :, None]).requires_grad_())
    weights = torch.randn(len(lengths[0]), len(lengths[1]), generator=random, dtype=torch.double)
    expected = plain(*sides)
    gradients = torch.autograd.grad((expected * weights).sum(), sides)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("clir_lightning.models.late.CELLS", cells)
        found = max_sim(*sides)
        assert torch.allclose(found, expected, atol=1e-9)
        for own, gradient in zip(torch.autograd.grad((found * weights).sum(), sides), gradients, strict=True):
            assert torch.allclose(own, gradient, atol=1e-9)


def test_no_documents_and_no_queries_have_no_scores() -> None:
    """A process without a query in a step has neither."""
    some, none = torch.ones(2, 3, 4), torch.ones(0, 3, 4, requires_grad=True)
    assert max_sim(some, none).shape == (2, 0)
    found = max_sim(none, some)
    assert found.shape == (0, 2)
    torch.autograd.backward(found.sum())
    assert none.grad is not None


def test_padding_gets_no_gradient() -> None:
    model = late()
    query, document = model.encode(texts(*QUERIES), "query"), model.encode(texts(*DOCUMENTS, room=1), "document")
    total: Any = model.similarity(query, document).sum()
    total.backward()
    table: Any = model.encoder.table
    assert table.grad[0].abs().sum() == 0
    assert table.grad[3].abs().sum() > 0


def test_both_sides_are_encoded_alike_and_taken_whole_by_the_loss() -> None:
    model = late()
    query, document = model.encode(texts(*QUERIES), "query"), model.encode(texts(*QUERIES), "document")
    assert torch.equal(query, document)
    assert [torch.equal(view, query) for view in model.views(query)] == [True]


def test_a_score_does_not_depend_on_the_texts_beside_it(encoder: Encoder, batches: Batches) -> None:
    batch = batches(("short", "one"), ("long", "few"), ("short", "some"))
    rows = Texts(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    model = LateInteraction(encoder, dimension=8).eval()
    with torch.no_grad():
        whole = model.encode(rows, "query")
        apart = [model.encode(part, "query") for part in rows.parts(1)]
        together = model.similarity(whole, whole)
        alone = torch.cat([torch.cat([model.similarity(q, d) for d in apart], dim=1) for q in apart])
    assert torch.allclose(together, alone, atol=1e-4)
    assert len({round(value, 3) for value in together.flatten().tolist()}) > 6


def test_the_temperature_is_the_scales_inverse() -> None:
    assert late(temperature=0.25).scale().item() == pytest.approx(4.0)
    assert late().scale().item() == pytest.approx(1.0)
    assert late(learn_temperature=True).scale().requires_grad


def test_lengths_of_both_sides_are_checked() -> None:
    model = late()
    model.check_lengths(256, 64)
    asked: Any = model.encoder
    assert asked.asked == [(256, "batches.max_length"), (64, "batches.query_length")]
