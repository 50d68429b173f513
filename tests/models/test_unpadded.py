"""Rows without padding give the states and gradients of padded ones, whatever the rows' lengths and order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clir_lightning.data.tokens.texts import Texts
from clir_lightning.errors import ConfigError
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import EncoderSettings
from clir_lightning.models.unpadded import Layout, attend
from models.families import LONGEST, write

UNPADDED = ("bert", "xlm-roberta", "modernbert", "electra", "camembert", "xlm-roberta-xl")
Lengths = st.lists(st.integers(1, LONGEST), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=UNPADDED)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Encoder]:
    """The same weights without padding and, by transformers' plain attention, with it."""
    folder = write(request.param, tmp_path_factory.mktemp("family") / request.param, initializer_range=0.1)
    fast = Encoder(str(folder), EncoderSettings(dropout=0.0))
    plain = Encoder(str(folder), EncoderSettings(dropout=0.0, attention="eager"))
    assert fast.unpadded
    assert not plain.unpadded
    return fast, plain


def rows(encoder: Encoder, lengths: list[int], room: int = 0, seed: int = 1) -> Texts:
    """Random tokens in padded rows, with `room` more columns than the longest needs, and two segments."""
    width = min(max(lengths) + room, LONGEST)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, len(encoder.tokenizer), mask.shape, generator=random)
    types = torch.randint(0, 2, mask.shape, generator=random) * mask
    return Texts(torch.where(mask.bool(), ids, encoder.pad_id), mask, types, tuple(lengths))


@settings(max_examples=25, deadline=None)
@given(lengths=Lengths, room=st.integers(0, 3), seed=st.integers(0, 99), grad=st.booleans())
def test_states_are_those_of_padded_rows(
    pair: tuple[Encoder, Encoder], lengths: list[int], room: int, seed: int, grad: bool
) -> None:
    fast, plain = (encoder.eval() for encoder in pair)
    batch = rows(fast, lengths, room, seed)
    real = batch.attention_mask.bool()
    with torch.set_grad_enabled(grad):
        states, wanted = fast(batch), plain(batch)
        first = fast.first(batch)
    scale = wanted[real].abs().max().item()
    assert torch.allclose(states[real], wanted[real], atol=1e-5 * scale)
    assert torch.allclose(first, wanted[:, 0], atol=1e-5 * scale)
    assert (states[~real] == 0).all()


@settings(max_examples=10, deadline=None)
@given(lengths=Lengths, seed=st.integers(0, 99))
def test_gradients_are_those_of_padded_rows(pair: tuple[Encoder, Encoder], lengths: list[int], seed: int) -> None:
    fast, plain = (encoder.train() for encoder in pair)
    batch = rows(fast, lengths, seed=seed)
    weight = torch.randn(*batch.input_ids.shape, fast.width, generator=torch.Generator().manual_seed(seed))
    weight = weight * batch.attention_mask[:, :, None]
    gradients = []
    for encoder in (fast, plain):
        encoder.zero_grad()
        (encoder(batch) * weight).sum().backward()
        gradients.append({name: value.grad for name, value in encoder.named_parameters()})
    largest = max(float(value.abs().max()) for value in gradients[1].values() if value is not None)
    for name, wanted in gradients[1].items():
        found = gradients[0][name]
        assert (found is None) == (wanted is None), name
        assert wanted is None or found is None or torch.allclose(found, wanted, atol=1e-4 * largest), name


def test_a_score_does_not_depend_on_the_rows_beside_it(pair: tuple[Encoder, Encoder]) -> None:
    fast = pair[0].eval()
    batch = rows(fast, [7, 30, 7, 1, 12])
    turned = np.array([3, 0, 4, 1, 2])
    with torch.no_grad():
        together, apart = (
            fast.first(batch),
            [fast.first(next(batch.rows(np.array([i])).parts(1))) for i in range(5)],
        )
        assert torch.allclose(fast.first(batch.rows(turned)), together[torch.from_numpy(turned)], atol=1e-5)
    assert torch.allclose(together, torch.cat(apart), atol=1e-5)


def test_a_padding_token_that_stands_in_a_text_counts_as_the_family_counts_it(pair: tuple[Encoder, Encoder]) -> None:
    fast, plain = (encoder.eval() for encoder in pair)
    batch = rows(fast, [9, 4])
    batch.input_ids[0, 3] = fast.pad_id
    real = batch.attention_mask.bool()
    with torch.no_grad():
        assert torch.allclose(fast(batch)[real], plain(batch)[real], atol=1e-4)


def test_lengths_are_read_off_the_mask_where_the_rows_do_not_tell(pair: tuple[Encoder, Encoder]) -> None:
    fast = pair[0].eval()
    batch = rows(fast, [5, 9, 2])
    untold = Texts(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    with torch.no_grad():
        assert torch.equal(fast(untold), fast(batch))
    with pytest.raises(ValueError, match="padded to the right alone"):
        fast(Texts(batch.input_ids, batch.attention_mask.flip(1), batch.token_type_ids))


def test_scoring_sees_weights_that_changed(pair: tuple[Encoder, Encoder]) -> None:
    """In place, by a state that is loaded, and through `data`, when the next pass begins."""
    fast = pair[0].eval()
    batch = rows(fast, [5, 9])
    before = {name: value.clone() for name, value in fast.state_dict().items()}
    matrix = next(weight for weight in fast.blocks[1].parameters() if weight.ndim == 2)

    def behind_its_back() -> None:
        matrix.data.mul_(2)  # no version tells of it
        fast.eval()

    changes: list[Callable[[], Any]] = [
        behind_its_back,
        lambda: matrix.mul_(0.5),
        lambda: fast.load_state_dict({name: value * 0.5 for name, value in before.items()}),
    ]
    seen: list[Tensor] = []
    try:
        for change in changes:
            with torch.no_grad():
                seen.append(fast.first(batch))
                change()
                assert not torch.allclose(fast.first(batch), seen[-1])
    finally:
        fast.load_state_dict(before)


def test_attention_stays_within_rows_and_windows() -> None:
    """Against a loop over rows with a softmax of its own."""
    lengths = [6, 6, 3, 1]
    batch = Texts(torch.ones(4, 6, dtype=torch.long), torch.zeros(4, 6, dtype=torch.long), None, tuple(lengths))
    layout = Layout.of(batch)
    query, key, value = torch.randn(3, 16, 2, 4, generator=torch.Generator().manual_seed(2)).unbind()
    for window in (None, 2):
        found = attend(query, key, value, layout, scaling=0.5, window=window)
        start = 0
        for length in lengths:
            own = slice(start, start + length)
            products = torch.einsum("qhw,khw->hqk", query[own], key[own]) * 0.5
            place = torch.arange(length)
            if window is not None:
                products[:, (place[:, None] - place).abs() > window] = -torch.inf
            wanted = torch.einsum("hqk,khw->qhw", products.softmax(dim=-1), value[own])
            assert torch.allclose(found[own], wanted, atol=1e-6)
            start += length


def test_families_whose_positions_are_not_known_keep_their_padding(tmp_path: Path) -> None:
    assert not Encoder(str(write("deberta-v2", tmp_path / "deberta"))).unpadded
    assert not Encoder(str(write("bert", tmp_path / "decoder", is_decoder=True))).unpadded
    with pytest.raises(ConfigError, match="allowed: auto, eager"):
        EncoderSettings(attention="unpaded")
