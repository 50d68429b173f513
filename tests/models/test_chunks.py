"""Chunks: worked out by hand, and for real tokenizers against a naive cut."""

from __future__ import annotations

import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.models.chunks import cut_into_chunks
from clir_lightning.models.encoder import Encoder
from models.conftest import Batches


def test_by_hand() -> None:
    """C q S d×5 S in rows of 6 leaves 2 document tokens per row: 3 chunks of 1, 2, 2; the other pair has one of 1."""
    ids = torch.tensor([[1, 20, 2, 30, 31, 32, 33, 34, 2], [1, 21, 2, 40, 2, 0, 0, 0, 0]])
    types = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0, 0]])
    spans = torch.tensor([[1, 2], [1, 2]]), torch.tensor([[3, 8], [3, 4]])
    mask = (ids != 0).long()
    batch = PairBatch(ids, mask, types, torch.zeros(2, 1), (), query_spans=spans[0], document_spans=spans[1])
    chunks = cut_into_chunks(batch, length=6, query_length=2, pad_id=0)
    assert chunks.counts.tolist() == [3, 1]
    assert chunks.input_ids.tolist() == [
        [1, 20, 2, 30, 2, 0],
        [1, 20, 2, 31, 32, 2],
        [1, 20, 2, 33, 34, 2],
        [1, 21, 2, 40, 2, 0],
    ]
    assert chunks.attention_mask.sum(dim=1).tolist() == [5, 6, 6, 5]
    assert chunks.token_type_ids is not None
    assert chunks.token_type_ids.tolist() == [
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 0],
    ]
    flat = chunks.input_ids.flatten()
    assert chunks.query_mask.tolist() == [[True, False], [True, False]]
    assert flat[chunks.query_at[:, 0]].tolist() == [20, 21]
    assert flat[chunks.document_at][chunks.document_mask].tolist() == [30, 31, 32, 33, 34, 40]
    assert chunks.average(torch.tensor([[3.0], [6.0], [9.0], [5.0]])).tolist() == [[6.0], [5.0]]


def test_real_pairs_against_a_naive_cut(encoder: Encoder, batches: Batches) -> None:
    batch = batches(("long", "many", "one"), ("short", "some", "many"))
    chunks = cut_into_chunks(batch, length=40, query_length=8, pad_id=encoder.pad_id)
    assert batch.query_spans is not None
    assert batch.document_spans is not None
    rows = []
    for ids, mask, (_, _), (start, stop) in zip(
        batch.input_ids.tolist(),
        batch.attention_mask.tolist(),
        batch.query_spans.tolist(),
        batch.document_spans.tolist(),
        strict=True,
    ):
        ids = ids[: sum(mask)]
        document, room = ids[start:stop], 40 - (len(ids) - (stop - start))
        count = -(-len(document) // room)
        cuts = [len(document) * k // count for k in range(count + 1)]
        rows += [ids[:start] + document[cuts[k] : cuts[k + 1]] + ids[stop:] for k in range(count)]
    assert max(len(row) for row in rows) <= 40
    assert len(rows) > 4
    kept = [
        row[: sum(mask)] for row, mask in zip(chunks.input_ids.tolist(), chunks.attention_mask.tolist(), strict=True)
    ]
    assert kept == rows
    assert set(chunks.input_ids[chunks.attention_mask == 0].tolist()) == {encoder.pad_id}
    flat = chunks.input_ids.flatten()
    for pair, (start, stop) in enumerate(batch.document_spans.tolist()):
        found = flat[chunks.document_at[pair]][chunks.document_mask[pair]]
        assert found.tolist() == batch.input_ids[pair, start:stop].tolist()
    for pair, (start, stop) in enumerate(batch.query_spans.tolist()):
        found = flat[chunks.query_at[pair]][chunks.query_mask[pair]]
        assert found.tolist() == batch.input_ids[pair, start:stop].tolist()
