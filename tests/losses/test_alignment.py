"""Alignment of entities, against NumPy and with what must not count taken out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.losses.alignment import EntityAlignment, entity_alignment

ALL = torch.ones(4, 2, dtype=torch.bool)


def vectors(seed: int = 1, languages: int = 2) -> Tensor:
    return torch.randn(4, languages, 5, generator=torch.Generator().manual_seed(seed))


def by_numpy(one: Tensor, other: Tensor, temperature: float) -> float:
    """The mean over entities and both directions of −ln of the own vector's share."""
    units = [np.asarray(side) / np.linalg.norm(side, axis=1, keepdims=True) for side in (one, other)]
    shares = np.exp(units[0] @ units[1].T / temperature)
    forth = [-math.log(shares[i, i] / shares[i].sum()) for i in range(len(shares))]
    back = [-math.log(shares[i, i] / shares[:, i].sum()) for i in range(len(shares))]
    return float(np.mean(forth) + np.mean(back)) / 2


def test_every_entity_against_every_other() -> None:
    found = vectors()
    value = entity_alignment(found, ALL, torch.tensor([3, 1, 8, 5]), temperature=0.2)
    assert float(value) == pytest.approx(by_numpy(found[:, 0], found[:, 1], 0.2), rel=1e-5)


def test_of_three_languages_the_mean_of_their_pairs() -> None:
    found = vectors(languages=3)
    there = torch.ones(4, 3, dtype=torch.bool)
    there[2, 1] = False
    some = [0, 1, 3]
    expected = by_numpy(found[:, 0], found[:, 2], 0.2)
    expected += by_numpy(found[some, 0], found[some, 1], 0.2) + by_numpy(found[some, 1], found[some, 2], 0.2)
    value = entity_alignment(found, there, torch.tensor([3, 1, 8, 5]), temperature=0.2)
    assert float(value) == pytest.approx(expected / 3, rel=1e-5)


def test_a_repeated_entity_and_one_of_a_single_language_do_not_count() -> None:
    """Entity 3 again, with other vectors, and 8 without the second language, whose place is not looked at."""
    found = vectors()
    there = ALL.clone()
    there[2, 1] = False
    planted = found.clone()
    planted[2, 1] = torch.nan
    planted.requires_grad_()
    value = entity_alignment(planted, there, torch.tensor([3, 1, 8, 3]), temperature=0.2)
    assert value.item() == pytest.approx(by_numpy(found[:2, 0], found[:2, 1], 0.2), rel=1e-5)
    value.backward()  # type: ignore[no-untyped-call]
    assert planted.grad is not None
    assert planted.grad[2:].eq(0).all()
    assert planted.grad[:2].ne(0).any(dim=-1).all()
    assert planted.grad.isfinite().all()


def test_a_repeated_entity_counts_where_its_first_place_has_one_language_alone() -> None:
    found = vectors()
    there = ALL.clone()
    there[0, 0] = False
    value = entity_alignment(found, there, torch.tensor([3, 1, 8, 3]), temperature=0.2)
    assert float(value) == pytest.approx(by_numpy(found[1:, 0], found[1:, 1], 0.2), rel=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_without_two_entities_there_is_nothing_to_align(count: int) -> None:
    found = vectors().requires_grad_()
    there = ALL.clone()
    there[count:] = False
    value = entity_alignment(found, there, torch.tensor([3, 1, 8, 5]))
    assert value.item() == 0.0
    value.backward()  # type: ignore[no-untyped-call]
    assert found.grad is not None
    assert found.grad.eq(0).all()
    assert float(entity_alignment(torch.zeros(0, 2, 5), torch.zeros(0, 2).bool(), torch.zeros(0).long())) == 0.0
    assert float(entity_alignment(vectors(languages=1), ALL[:, :1], torch.tensor([3, 1, 8, 5]))) == 0.0


def test_the_module_weighs_it_and_rejects_what_cannot_be() -> None:
    numbers = torch.tensor([3, 1, 8, 5])
    expected = 0.5 * float(entity_alignment(vectors(), ALL, numbers, 0.3))
    assert float(EntityAlignment(weight=0.5, temperature=0.3)(vectors(), ALL, numbers)) == pytest.approx(expected)
    with pytest.raises(ConfigError, match=r"weight -1 and temperature 0\.07; allowed"):
        EntityAlignment(weight=-1)
    with pytest.raises(ConfigError, match="temperature 0; allowed"):
        EntityAlignment(temperature=0)
