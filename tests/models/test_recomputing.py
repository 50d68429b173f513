"""Heads that compute again what they do not keep: the papers' formulas in plain tensors, scores and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d, normalize, pad

from clir_lightning.models.cedr import token_similarity
from clir_lightning.models.chunks import Chunks
from clir_lightning.models.heads.knrm import KNRM, kernel_pooling
from clir_lightning.models.heads.pacrr import strongest_filter
from clir_lightning.models.recomputing import recomputed

QUERY, WIDTH = 3, 4  # query tokens and size of a state


def plain_similarity(states: Tensor, chunks: Chunks) -> Tensor:
    """Cosines of unit vectors, all of them normalised, picked out and masked."""
    unit = normalize(states.flatten(0, 1), dim=1)
    query = unit[chunks.query_at] * chunks.query_mask[:, :, None]
    return query @ (unit[chunks.document_at] * chunks.document_mask[:, :, None]).transpose(1, 2)


def chunks_of(lengths: list[list[int]], queries: list[int]) -> Chunks:
    """Pairs whose documents have these many tokens in each chunk, behind the query's `QUERY` places in every row."""
    rows = [(pair, length) for pair, parts in enumerate(lengths) for length in parts]
    width = QUERY + max(length for _, length in rows) + 1
    first = [[pair for pair, _ in rows].index(pair) for pair in range(len(lengths))]
    document_at = [
        [row * width + QUERY + i for row, (of, length) in enumerate(rows) if of == pair for i in range(length)]
        for pair in range(len(lengths))
    ]
    longest = max(1, *map(len, document_at))
    real = torch.arange(QUERY) < torch.tensor(queries)[:, None]
    return Chunks(
        input_ids=torch.zeros(len(rows), width, dtype=torch.long),
        attention_mask=torch.ones(len(rows), width, dtype=torch.long),
        token_type_ids=None,
        pair=torch.tensor([pair for pair, _ in rows]),
        counts=torch.tensor(list(map(len, lengths))),
        query_at=torch.where(real, torch.tensor(first)[:, None] * width + torch.arange(QUERY), 0),
        query_mask=real,
        document_at=torch.tensor([[*places, *[0] * (longest - len(places))] for places in document_at]),
        document_mask=torch.arange(longest) < torch.tensor(list(map(len, document_at)))[:, None],
    )


def gradients(function: Callable[..., Tensor], *arguments: Any) -> list[Tensor]:
    """The result, and the gradients of a weighted sum of it with regard to the arguments that have one."""
    found = function(*arguments)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    trained = [part for part in arguments if isinstance(part, Tensor) and part.requires_grad]
    return [found, *torch.autograd.grad((found * weights).sum(), trained)]


def assert_alike(found: list[Tensor], expected: list[Tensor], tolerance: float = 1e-5) -> None:
    for own, other in zip(found, expected, strict=True):
        assert torch.allclose(own, other, atol=tolerance, rtol=tolerance)


PAIRS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1, max_size=4)


@given(lengths=PAIRS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_similarities_are_cosines_of_unit_vectors(lengths: list[list[int]], data: st.DataObject) -> None:
    """Of documents over several rows, of none, and where a state is zero."""
    queries = data.draw(st.lists(st.integers(0, QUERY), min_size=len(lengths), max_size=len(lengths)))
    chunks = chunks_of(lengths, queries)
    random = torch.Generator().manual_seed(len(lengths))
    states = torch.randn(*chunks.input_ids.shape, WIDTH, generator=random)
    states[0, -1] = 0.0
    states.requires_grad_()
    again: Any = lambda states: recomputed(token_similarity, states, chunks)  # noqa: E731
    assert_alike(gradients(again, states), gradients(lambda states: plain_similarity(states, chunks), states))


@pytest.fixture
def matrices() -> tuple[Tensor, Tensor, Tensor]:
    """Similarities `[P, L, Q, D]`, exact matches among them, with the masks of their tokens."""
    random = torch.Generator().manual_seed(2)
    similarity = torch.rand(3, 2, 4, 6, generator=random) * 2 - 1
    similarity[0, :, 1, 2] = 1.0
    query = torch.arange(4) < torch.tensor([4, 2, 1])[:, None]
    document = torch.arange(6) < torch.tensor([6, 1, 4])[:, None]
    return (similarity * query[:, None, :, None] * document[:, None, None]).requires_grad_(), query, document


def test_kernels_one_at_a_time_are_all_kernels_at_once(matrices: tuple[Tensor, Tensor, Tensor]) -> None:
    def plain(x: Tensor, query: Tensor, document: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
        apart = (x[:, :, None] - mu[:, None, None]) / sigma[:, None, None]  # [P, L, K, Q, D]
        counts = (torch.exp(-0.5 * apart.square()) * document[:, None, None, None]).sum(dim=-1)
        return (torch.log(counts + 1e-6) * query[:, None, None]).sum(dim=-1)

    head = KNRM(width=1, channels=2)
    kernels = (head.mu, head.sigma)
    assert_alike(gradients(kernel_pooling, *matrices, *kernels), gradients(plain, *matrices, *kernels), 1e-4)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_greatest_filter_is_that_of_all_filters(size: int, matrices: tuple[Tensor, Tensor, Tensor]) -> None:
    def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return conv2d(pad(x, (0, size, 0, size)), weight, bias).relu().amax(dim=1)[:, :, :6][:, :4]

    torch.manual_seed(3)
    layer = nn.Conv2d(2, 5, size)
    filters = (layer.weight, layer.bias)
    again: Any = lambda *parts: recomputed(strongest_filter, *parts)  # noqa: E731
    assert_alike(gradients(again, matrices[0], *filters), gradients(plain, matrices[0], *filters))


def test_gradients_keep_the_arguments_alone() -> None:
    """Ten tensors between, of which none is saved; without gradients nothing is set aside at all."""
    sizes: list[int] = []

    def steps(x: Tensor) -> Tensor:
        for _ in range(10):
            x = x.exp().sin()
        return x

    def save(x: Tensor) -> Tensor:
        sizes.append(x.numel())
        return x

    some = torch.ones(7, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(save, lambda x: x):
        steps(some)
        assert sum(sizes) >= 70
        sizes.clear()
        found = recomputed(steps, some)
        assert sum(sizes) <= 7
    assert torch.autograd.grad(found.sum(), some)[0].isfinite().all()
    with torch.no_grad():
        assert torch.equal(recomputed(steps, some), steps(some))
