"""What all losses share: a weight that is kept, and the same settings in Python as in `conf/loss/`."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from clir_lightning.errors import ConfigError
from clir_lightning.losses.loss import ScoreLoss, differences, mean_where, ordered_pairs
from clir_lightning.losses.needs import check_samples
from clir_lightning.types import Sample
from program import ROOT

LOSSES = sorted((ROOT / "conf" / "loss").glob("*.yaml"))


def node_of(path: Path) -> dict[str, Any]:
    """A file's one node as it is written."""
    (node,) = OmegaConf.to_container(OmegaConf.load(path)).values()  # type: ignore[union-attr]
    return dict(node)


def settings_of(loss: Any) -> dict[str, float]:
    """The numbers and switches that a loss is given and keeps."""
    given = signature(type(loss)).parameters
    return {name: value for name, value in vars(loss).items() if name in given and isinstance(value, int | float)}


@pytest.mark.parametrize("path", LOSSES, ids=lambda path: path.stem)
def test_a_loss_made_in_python_is_the_one_of_the_configuration(path: Path) -> None:
    node = node_of(path)
    made: Any = get_class(node.pop("_target_"))
    assert settings_of(made()) == settings_of(made(**node)) == node


@pytest.mark.parametrize("path", LOSSES, ids=lambda path: path.stem)
def test_each_setting_is_kept(path: Path) -> None:
    node = node_of(path)
    made: Any = get_class(node.pop("_target_"))
    other = {name: not value if isinstance(value, bool) else 0.125 for name, value in node.items()}
    assert settings_of(made(**other)) == other


def test_too_few_documents_and_like_grades_are_rejected_by_the_losss_name() -> None:
    lists = r"use sampling=listwise, or more sampling\.negatives"
    with pytest.raises(ConfigError, match=rf"^loss mine needs 2 or more documents per query, got 1; {lists}$"):
        check_samples({"mine": ScoreLoss()}, [Sample("p", ("a", "b"), (6, 0)), Sample("q", ("a",), (6,))])
    with pytest.raises(
        ConfigError,
        match=r"^loss mine needs documents of different grades in a sample, got one grade in each; use samp",
    ):
        check_samples({"mine": ScoreLoss()}, [Sample("q", ("a", "b"), (3, 3))])
    one_teaches = [Sample("p", ("a", "b"), (3, 3)), Sample("q", ("a", "b"), (6, 3))]
    check_samples({"mine": ScoreLoss()}, one_teaches)


def test_a_mean_under_a_mask_by_hand() -> None:
    """3 and 5 of the first query, none of the second."""
    mask = torch.tensor([[True, False, True], [False, False, False]])
    assert mean_where(torch.tensor([[3.0, 100.0, 5.0], [7.0, 7.0, 7.0]]), mask).tolist() == [4.0, 0.0]


def test_pairs_are_row_against_column() -> None:
    assert differences(torch.tensor([[6.0, 1.0]])).tolist() == [[[0.0, 5.0], [-5.0, 0.0]]]
    assert ordered_pairs(torch.tensor([[6, 1]])).tolist() == [[[False, True], [False, False]]]
