"""A number comes a step later, with what came with it, and is the one that it was."""

from __future__ import annotations

import torch

from clir_lightning.lightning.late import Late


def test_each_step_is_told_the_number_of_the_one_before() -> None:
    late = Late()
    assert late.swap(torch.tensor(1.5), "first") is None
    assert late.swap(torch.tensor(2.5), "second") == (1.5, "first")
    assert late.last() == (2.5, "second")
    assert late.last() is None


def test_what_becomes_of_a_number_later_does_not_change_it() -> None:
    late = Late()
    number = torch.tensor(1.5)
    late.swap(number)
    number.fill_(9.0)
    assert late.last() == (1.5, None)


def test_a_number_with_gradients_is_held_without_them() -> None:
    late = Late()
    late.swap(torch.ones((), requires_grad=True) * 2)
    assert late.last() == (2.0, None)
