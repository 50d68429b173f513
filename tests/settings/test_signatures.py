"""The types of parameters, however a function or class writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import pytorch_lightning as pl
from torch import nn

from clir_lightning.data.sampling.judged import Graded
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.settings.markers import Count
from clir_lightning.settings.signatures import kinds


def test_a_dataclass_has_its_parents_fields() -> None:
    found, more = kinds(Graded)
    assert found["weighted"] is bool
    assert found["negatives_from"].__metadata__[0].choices == ("judged", "unjudged")
    assert not more


def test_a_class_has_what_its_beginning_takes_and_not_itself() -> None:
    found, more = kinds(CrossEncoder)
    assert found["pooling"].__metadata__[0].choices == ("cls", "mean", "parts")
    assert found["hidden"] == Count | None
    assert "self" not in found
    assert not more


def test_lightnings_trainer_under_its_wrapper() -> None:
    found, more = kinds(pl.Trainer)
    assert found["max_epochs"] == Optional[int]  # noqa: UP045  as it is written there
    assert not more


def test_a_type_that_cannot_be_told_spoils_no_other() -> None:
    def function(one: NoSuchType, two: int, three: str = None, *rest: int, **more: Any) -> None:  # type: ignore  # noqa: F821, RUF013
        pass

    found, more = kinds(function)
    assert found == {"one": Any, "two": int, "three": str | None}
    assert more


def test_one_that_inherits_its_beginning() -> None:
    @dataclass(frozen=True)
    class Child(Graded):
        pass

    assert kinds(Child)[0]["weighted"] is bool
    assert kinds(nn.Identity)[1]
