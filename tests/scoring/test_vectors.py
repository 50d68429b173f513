"""Vectors kept below each other are those that came, whatever the lengths, the blocks and the order asked in."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clir_lightning.errors import ConfigError
from clir_lightning.scoring.vectors import TextVectors

BLOCKS = st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=4).filter(lambda blocks: any(blocks))


@given(blocks=BLOCKS, look=st.booleans(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_vectors_of_tokens_come_back_padded(blocks: list[list[int]], look: bool, data: st.DataObject) -> None:
    random = torch.Generator().manual_seed(1)
    kept = TextVectors()
    plain: dict[int, Tensor] = {}
    numbers = iter(torch.randperm(100, generator=random).tolist())
    for counts in blocks:
        vectors = [torch.randn(count, 3, generator=random).half().float() for count in counts]
        own = [next(numbers) for _ in counts]
        kept.add(own, torch.cat([torch.zeros(0, 3), *vectors]), torch.tensor(counts, dtype=torch.long))
        plain.update(zip(own, vectors, strict=True))
        assert not look or list(kept) == list(plain)

    wanted = data.draw(st.lists(st.sampled_from(list(plain)), min_size=1, max_size=8))
    expected = pad_sequence([plain[number] for number in wanted], batch_first=True)
    found = kept.take(torch.tensor(wanted))
    assert (found.dtype, found.shape[:1]) == (torch.float16, (len(wanted),))
    assert found.shape[1] == max(1, expected.shape[1])
    assert torch.equal(found.float()[:, : expected.shape[1]], expected)
    assert kept.cells == 3 * max(map(len, plain.values()))
    assert {number: vectors.tolist() for number, vectors in kept.items()} == {n: v.tolist() for n, v in plain.items()}


def test_a_text_may_have_one_vector_which_keeps_its_digits() -> None:
    kept = TextVectors()
    kept.add([7, 3], torch.tensor([[0.1234567, 2.0], [1e6, -1.0]]))
    assert kept.take(torch.tensor([3, 3, 7])).tolist() == [
        [1e6, -1.0],
        [1e6, -1.0],
        [pytest.approx(0.1234567, rel=1e-7), 2.0],
    ]
    kept.add([5], torch.tensor([[4.0, 5.0]]))
    assert kept.places(torch.tensor([5, 4, 7, 99])).tolist() == [2, -1, 0, -1]
    assert (kept[5].tolist(), list(kept), len(kept)) == ([4.0, 5.0], [7, 3, 5], 3)
    with pytest.raises(KeyError):
        kept[4]


def test_before_anything_came_nothing_is_there() -> None:
    kept = TextVectors()
    assert (len(kept), dict(kept), kept.places(torch.tensor([1, 0])).tolist()) == (0, {}, [-1, -1])
    kept.add([], torch.zeros(0, 4))
    assert kept.places(torch.tensor([1])).tolist() == [-1]


def test_token_vectors_that_16_bits_cannot_hold_are_rejected() -> None:
    with pytest.raises(ConfigError, match="holds 70000; kept in 16 bits it may hold 65504 at most"):
        TextVectors().add([1], torch.tensor([[7e4, 1.0]]), torch.tensor([1]))
