"""Distillation: the functions by hand and against torch, and whose scores the labels are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import kl_div

from clir_lightning.errors import ConfigError
from clir_lightning.losses.distillation import KLDivergence, MarginMSE, kl_divergence, margin_mse
from clir_lightning.losses.needs import check_samples
from clir_lightning.types import Sample


@dataclass(frozen=True)
class Labels:
    """What a batch tells of its documents."""

    grades: Tensor
    teacher: Tensor | None = None


def test_margin_mse_by_hand() -> None:
    """Margins 2 and −1 against the teacher's 1 and 3: 1 and 16."""
    assert margin_mse(torch.tensor([[3.0, 1.0, 4.0]]), torch.tensor([[9.0, 8.0, 6.0]])).item() == 8.5


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_kl_against_torch(temperature: float) -> None:
    scores, teacher = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    student, target = torch.log_softmax(scores / temperature, 1), torch.softmax(teacher / temperature, 1)
    expected = kl_div(student, target, reduction="none").sum(dim=1) * temperature**2
    assert torch.allclose(kl_divergence(scores, teacher, temperature), expected)


def test_labels_are_the_teachers_scores_and_not_the_grades() -> None:
    """Margins 0 and 1 of the student's against −4.5 and 1; the third query is another process's stand-in."""
    grades, teacher = torch.tensor([[6.0, 0.0]] * 3), torch.tensor([[1.0, 5.5], [9.0, 8.0], [7.0, 0.0]])
    batch, scores = Labels(grades, teacher), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert MarginMSE().of_scores(scores, batch).tolist() == [4.5**2, 0.0]
    assert MarginMSE(weight=2.0).of_scores(scores, batch).tolist() == [2 * 4.5**2, 0.0]
    assert KLDivergence().of_scores(teacher, batch).tolist() == [0.0, 0.0, 0.0]
    assert MarginMSE(scale=2.0).labels(batch).tolist() == [[2.0, 11.0], [18.0, 16.0], [14.0, 0.0]]
    with pytest.raises(ConfigError, match=r"is 0.0; allowed: above 0"):
        KLDivergence(scale=0.0)


def test_a_batch_without_a_teachers_scores_is_rejected() -> None:
    told = r"^loss MarginMSE needs a teacher's scores, the batch has none; give teacher=FILE"
    with pytest.raises(ConfigError, match=told):
        MarginMSE().of_scores(torch.zeros(1, 2), Labels(torch.tensor([[6.0, 0.0]])))


def test_kl_passes_its_temperature_on_and_rejects_zero() -> None:
    """Even scores against the teacher's 1 to 3 at T = 1: log 2 − H(¼); at T = 2 another number."""
    scores, labels = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)
    entropy = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    assert KLDivergence()(scores, labels).item() == pytest.approx(math.log(2) - entropy)
    warm = KLDivergence(temperature=2.0)(scores, labels)
    assert warm.item() == pytest.approx(4 * KLDivergence()(scores, labels / 2).item())
    with pytest.raises(ConfigError, match=r"loss\.kl\.temperature is 0; allowed: above 0"):
        KLDivergence(temperature=0)


def test_a_teacher_tells_documents_of_one_grade_apart_but_needs_two_of_them() -> None:
    check_samples({"kl": KLDivergence()}, [Sample("q", ("a", "b"), (6, 6))])
    with pytest.raises(ConfigError, match="loss kl needs 2 or more documents per query, got 1"):
        check_samples({"kl": KLDivergence()}, [Sample("q", ("a",), (6,))])
