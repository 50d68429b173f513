"""What processes send each other in a step is what benchmarks/scaling.py predicts, by hand and by counting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.scaling import ENCODERS, all_reduced, counted_step, efficiency, gathered, sharded
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from clir_lightning.losses.contrastive import InfoNCE
from lightning.shares_for_tests import STEP, keep_logs, module, prepared, steps, together


@pytest.mark.parametrize("size", ENCODERS, ids=lambda size: size.name)
def test_the_sizes_are_transformers(size: Any) -> None:
    family: Any = (BertConfig, BertModel) if size.types == 2 else (XLMRobertaConfig, XLMRobertaModel)
    config = family[0](
        vocab_size=size.vocabulary,
        max_position_embeddings=size.positions,
        type_vocab_size=size.types,
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
    )
    with torch.device("meta"):
        model: Any = family[1](config, add_pooling_layer=False)
    assert sum(weight.numel() for weight in model.parameters()) == size.parameters
    assert sum(weight.numel() for weight in model.embeddings.parameters()) == size.embeddings


def test_operations_are_those_of_the_matrices() -> None:
    """XLM-R base, 100 tokens: 12 layers of 12·768² weights, and 4·100²·768 for attention."""
    assert ENCODERS[1].operations(100) == 12 * (2 * 7_077_888 * 100 + 30_720_000) == 17_355_571_200


def test_a_ring_sends_what_it_sends() -> None:
    """Four processes sum 8 numbers in shares of 2: three rounds there and three back, of 8 bytes each."""
    assert all_reduced(8, 4) == 6 * 8
    assert all_reduced(8, 1) == sharded(ENCODERS[0], 1) == 0
    assert sharded(ENCODERS[0], 2) == ENCODERS[0].parameters * 4
    assert efficiency(3.0, 4.0) == pytest.approx((3 / 7, 3 / 5))


def sent(rank: int, world: int, folder: Path) -> dict[str, int]:
    made = module("dual", str(folder / "encoder"), {"loss": InfoNCE()})
    keep_logs(made)
    learnt = sum(weight.numel() for weight in made.parameters() if weight.requires_grad)
    counter = counted_step(made, steps("dual", str(folder / "encoder"), rank, world)[0], made.model.width)
    return {"learnt": learnt, **{name: getattr(counter, name) for name in ("buckets", "vectors", "back")}}


def test_two_processes_send_what_is_predicted(tmp_path: Path) -> None:
    """A step of 5 queries with 3 documents each: both send as many as the first has, which is 3 and 9."""
    prepared(tmp_path)
    queries = -(-STEP // 2)
    forth, back = gathered(queries, 3 * queries, 12, 2)
    assert (forth, back) == (3 * 4 * 12 * 4, 2 * 3 * 4 * 12 * 4)
    for found in together(sent, 2, tmp_path):
        assert found["buckets"] == 4 * found["learnt"] > 4 * 1000
        assert (found["vectors"], found["back"]) == (forth, back)
