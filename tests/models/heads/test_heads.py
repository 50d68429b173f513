"""Each head against numbers worked out by hand and a NumPy version in plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from clir_lightning.models.heads.drmm import DRMM, log_histogram
from clir_lightning.models.heads.knrm import KNRM, kernel_pooling
from clir_lightning.models.heads.maxsim import MaxSim, mean_maximum
from clir_lightning.models.heads.pacrr import PACRR, strongest
from clir_lightning.models.heads.signals import Signals
from clir_lightning.models.heads.vanilla import Vanilla

WIDTH, LEVELS, QUERY, DOCUMENT = 4, 3, 5, 7
QUERY_TOKENS, DOCUMENT_TOKENS = (5, 2), (7, 3)
Array = NDArray[np.float64]


@pytest.fixture
def signals() -> Signals:
    """Two pairs, the second with padding on both sides."""
    random = torch.Generator().manual_seed(5)
    query = torch.arange(QUERY) < torch.tensor(QUERY_TOKENS)[:, None]
    document = torch.arange(DOCUMENT) < torch.tensor(DOCUMENT_TOKENS)[:, None]
    similarity = torch.rand(2, LEVELS, QUERY, DOCUMENT, generator=random) * 2 - 1
    similarity[0, 0, 0, 0] = 1.0
    similarity = similarity * query[:, None, :, None] * document[:, None, None]
    return Signals(torch.randn(2, WIDTH, generator=random), similarity, query, document)


def pairs(signals: Signals) -> list[tuple[Array, Array]]:
    """[CLS] and the similarities of each pair, padding cut off."""
    return [
        (signals.cls[p].double().numpy(), signals.similarity[p, :, :q, :d].double().numpy())
        for p, (q, d) in enumerate(zip(QUERY_TOKENS, DOCUMENT_TOKENS, strict=True))
    ]


def linear(layer: Any, x: Array) -> Array:
    result: Array = layer.weight.detach().double().numpy() @ x + layer.bias.detach().double().numpy()
    return result


def naive_vanilla(head: Any, cls: Array, x: Array) -> float:
    return float(linear(head.linear, cls)[0])


def naive_knrm(head: Any, cls: Array, x: Array) -> float:
    features = []
    for level in x:
        for mu, sigma in zip(head.mu.tolist(), head.sigma.tolist(), strict=True):
            total = 0.0
            for row in level:
                total += math.log(sum(math.exp(-((s - mu) ** 2) / (2 * sigma**2)) for s in row) + 1e-6)
            features.append(total)
    return float(linear(head.combine, np.array([*features, *cls]))[0])


def naive_pacrr(head: Any, cls: Array, x: Array) -> float:
    features: list[list[float]] = [[] for _ in range(QUERY)]
    for n, convolution in enumerate(head.convolutions, 1):
        weight, bias = convolution.weight.detach().double().numpy(), convolution.bias.detach().double().numpy()
        for i in range(QUERY):
            values = []
            for j in range(x.shape[2] if i < x.shape[1] else 0):
                window = np.zeros((x.shape[0], n, n))
                part = x[:, i : i + n, j : j + n]
                window[:, : part.shape[1], : part.shape[2]] = part
                values.append(max(0.0, *((w * window).sum() + b for w, b in zip(weight, bias, strict=True))))
            features[i] += sorted([*values, 0.0, 0.0], reverse=True)[:2]
    hidden = np.array([*np.concatenate(features), *cls])
    for place in (0, 2):
        hidden = np.maximum(linear(head.combine[place], hidden), 0)
    return float(linear(head.combine[4], hidden)[0])


def naive_drmm(head: Any, cls: Array, x: Array) -> float:
    total = 0.0
    for i in range(x.shape[1]):
        counts = np.zeros((x.shape[0], 11))
        for level in range(x.shape[0]):
            for s in x[level, i]:
                counts[level, int((s + 1.000001) / 2 * 10)] += 1
        features = np.concatenate([np.log1p(counts).ravel(), cls])
        total += float(linear(head.combine[2], np.maximum(linear(head.combine[0], features), 0))[0])
    return total


def naive_maxsim(head: Any, cls: Array, x: Array) -> float:
    best = [sum(max(row) for row in level) / len(level) for level in x]
    weighted = sum(w * b for w, b in zip(head.levels.tolist(), best, strict=True))
    return float(weighted / head.temperature + linear(head.linear, cls)[0])


CASES = [
    (Vanilla, {}, naive_vanilla),
    (KNRM, {}, naive_knrm),
    (PACRR, {"query_length": QUERY}, naive_pacrr),
    (PACRR, {"query_length": QUERY, "filters": 1}, naive_pacrr),  # where no other filter lifts a negative value
    (DRMM, {}, naive_drmm),
    (MaxSim, {}, naive_maxsim),
]


@pytest.mark.parametrize(("head", "settings", "naive"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_head_is_its_formula_in_plain_loops(
    head: type[nn.Module], settings: dict[str, int], naive: Any, signals: Signals
) -> None:
    torch.manual_seed(1)
    made = head(width=WIDTH, channels=LEVELS, **settings)
    expected = [naive(made, cls, x) for cls, x in pairs(signals)]
    assert made(signals).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_kernels_by_hand() -> None:
    """Query tokens a (matches 1, 0.9) and b (0.4); kernels at 1 (σ .001) and .5 (σ .1), the third place is padding.

    At 1: log(1 + e^{−5000}) + log(10⁻⁶); at .5: log(e^{−12.5} + e^{−8}) and log(e^{−12.5} + e^{−½}).
    """
    x = torch.tensor([[[[1.0, 0.9, 0.5], [0.0, 0.4, 0.5], [0.5, 0.5, 0.5]]]])
    query, document = torch.tensor([[True, True, False]]), torch.tensor([[True, True, False]])
    found = kernel_pooling(x, query, document, torch.tensor([1.0, 0.5]), torch.tensor([0.001, 0.1]))
    e = math.exp
    expected = [
        math.log(1 + 1e-6) + math.log(1e-6),
        math.log(e(-12.5) + e(-8) + 1e-6) + math.log(e(-12.5) + e(-0.5) + 1e-6),
    ]
    assert found[0, 0].tolist() == pytest.approx(expected, rel=1e-4)


def test_the_kernels_start_where_the_paper_has_them() -> None:
    head = KNRM(width=WIDTH, channels=LEVELS)
    assert head.mu.tolist() == pytest.approx([-0.9, -0.7, -0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    assert head.sigma.tolist() == pytest.approx([0.1] * 10 + [0.001])
    assert head.mu.requires_grad
    assert head.sigma.requires_grad
    assert head.combine.in_features == 11 * LEVELS + WIDTH


def test_a_histogram_by_hand() -> None:
    """−1 in the first bin, .99 in the last but one, exact matches alone in the last, rounded up or down."""
    x = torch.tensor([[[[-1.0, 0.99, 1.0, 1.0000001, 0.9999999, -0.81, 0.0]]]])
    mask = torch.tensor([[True, True, True, True, True, True, False]])
    counts = log_histogram(x, mask, 11)[0, 0, 0].expm1().round().int().tolist()
    assert counts == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3]
    assert log_histogram(x, mask, 11)[0, 0, 0, 9].item() == pytest.approx(math.log(2), rel=1e-6)


def test_the_strongest_are_of_real_tokens() -> None:
    """The greatest stand at padding: the third document token, and the second query token's all."""
    x = torch.tensor([[[0.2, 0.5, 0.9], [0.8, 0.7, 0.6]]])
    found = strongest(x, torch.tensor([[True, False]]), torch.tensor([[True, True, False]]), 2)
    assert found.tolist() == [[[pytest.approx(0.5), pytest.approx(0.2)], [0.0, 0.0]]]


def test_the_strongest_of_too_few_are_filled_with_zeros() -> None:
    found = strongest(
        torch.tensor([[[0.3]], [[0.7]]]), torch.tensor([[True], [False]]), torch.tensor([[True], [True]]), 2
    )
    assert found.tolist() == [[[pytest.approx(0.3), 0.0]], [[0.0, 0.0]]]


def test_the_layers_are_the_papers() -> None:
    pacrr, drmm = PACRR(width=WIDTH, channels=LEVELS), DRMM(width=WIDTH, channels=LEVELS)
    assert [tuple(c.weight.shape) for c in pacrr.convolutions if isinstance(c, nn.Conv2d)] == [
        (32, LEVELS, n, n) for n in (1, 2, 3)
    ]
    assert [layer.weight.shape[0] for layer in pacrr.combine if isinstance(layer, nn.Linear)] == [32, 32, 1]
    assert pacrr.combine[0].in_features == 20 * 3 * 2 + WIDTH
    assert [layer.weight.shape[0] for layer in drmm.combine if isinstance(layer, nn.Linear)] == [5, 1]
    assert drmm.combine[0].in_features == LEVELS * 11 + WIDTH


def test_maxsim_starts_from_the_similarities_alone(signals: Signals) -> None:
    head = MaxSim(width=WIDTH, channels=LEVELS, temperature=0.5)
    best = mean_maximum(signals.similarity, signals.query_mask, signals.document_mask)
    assert torch.allclose(head(signals) - head.linear.bias, best.mean(dim=1) / 0.5)


def test_a_document_without_tokens_has_no_similarity() -> None:
    x = torch.zeros(1, 1, 1, 1)
    assert mean_maximum(x, torch.tensor([[True]]), torch.tensor([[False]])).item() == 0.0
