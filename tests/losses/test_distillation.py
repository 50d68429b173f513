"""Distillation: the functions by hand and against torch, the teacher's file looked up and checked."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import kl_div

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.losses.distillation import KLDivergence, MarginMSE, kl_divergence, margin_mse
from clir_lightning.types import Sample


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    path = tmp_path / "teacher.trec"
    path.write_text("q Q0 a 1 9.0 t\nq Q0 b 2 8.0 t\nr Q0 a 1 5.5 t\nr Q0 c 2 1.0 t\n")
    return str(path)


def batch(*samples: Sample) -> PairBatch:
    one = torch.zeros(1, 1)
    return PairBatch(one, one, None, torch.tensor([sample.grades for sample in samples]), samples)


def test_margin_mse_by_hand() -> None:
    """Margins 2 and −1 against the teacher's 1 and 3: 1 and 16."""
    assert margin_mse(torch.tensor([[3.0, 1.0, 4.0]]), torch.tensor([[9.0, 8.0, 6.0]])).item() == 8.5


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_kl_against_torch(temperature: float) -> None:
    scores, teacher = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    student, target = torch.log_softmax(scores / temperature, 1), torch.softmax(teacher / temperature, 1)
    expected = kl_div(student, target, reduction="none").sum(dim=1) * temperature**2
    assert torch.allclose(kl_divergence(scores, teacher, temperature), expected)


def test_labels_are_the_teachers_scores_of_each_pair(teacher: str) -> None:
    loss = MarginMSE(teacher)
    one = batch(Sample("r", ("c", "a"), (6, 0)), Sample("q", ("a", "b"), (6, 0)))
    assert loss.labels(one).tolist() == [[1.0, 5.5], [9.0, 8.0]]
    scores = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert loss(scores, loss.labels(one)).tolist() == [4.5**2, 0.0]
    assert KLDivergence(teacher)(loss.labels(one), loss.labels(one)).tolist() == [0.0, 0.0]
    assert MarginMSE(teacher, scale=2.0).labels(one).tolist() == [[2.0, 11.0], [18.0, 16.0]]
    with pytest.raises(ConfigError, match=r"is 0.0; allowed: above 0"):
        KLDivergence(teacher, scale=0.0)


def test_kl_passes_its_temperature_on_and_refuses_zero(teacher: str) -> None:
    """Even scores against the teacher's 1 to 3 at T = 1: log 2 − H(¼); at T = 2 another number."""
    scores, labels = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    entropy = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    assert KLDivergence(teacher)(scores, labels).item() == pytest.approx(math.log(2) - entropy)
    warm = KLDivergence(teacher, temperature=2.0)(scores, labels)
    assert warm.item() == pytest.approx(4 * KLDivergence(teacher)(scores, labels / 2).item())
    with pytest.raises(ConfigError, match=r"loss\.kl\.temperature is 0; allowed: above 0"):
        KLDivergence(teacher, temperature=0)


def test_a_pair_without_a_score_is_refused(teacher: str) -> None:
    loss = KLDivergence(teacher)
    loss.check([Sample("q", ("a", "b"), (6, 0))], "kl")
    with pytest.raises(ConfigError, match="loss kl needs 2 or more documents"):
        loss.check([Sample("q", ("a",), (6,))], "kl")
    with pytest.raises(DataError, match=r"teacher.trec: no score of document 'a' for training query 'new'"):
        loss.check([Sample("new", ("a", "b"), (6, 0))], "kl")
    with pytest.raises(DataError, match=r"teacher.trec: no score of document 'c' for training query 'q'; score every"):
        loss.check([Sample("q", ("a", "c"), (6, 0))], "kl")
