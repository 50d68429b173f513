"""The model folder follows the best validation: the first of equal ones, averaged weights, training that goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader

from clir_lightning.errors import ClirError
from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.models.model_folder import read_settings, read_weights
from clir_lightning.models.saved import Recipe

RECIPE = Recipe({"seed": 1}, {"config.json": b"{}", "tokenizer_config.json": b"{}"})


class Scripted(pl.LightningModule):
    """A weight that grows by 1 per step, two steps per epoch; the validation of epoch e has the value `values[e]`."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values = values
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        self.tested: float | None = None

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return -self.model.weight.sum()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.log("val/ndcg_10", torch.tensor(self.values[self.current_epoch]))

    def test_step(self, batch: Tensor, index: int) -> None:
        self.tested = float(self.model.weight.detach())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def trainer(folder: Path, best: BestModel, epochs: int, *more: pl.Callback, **settings: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[*more, best],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=str(folder),
        **settings,
    )


def fitted(folder: Path, values: Sequence[float], *more: pl.Callback, **settings: Any) -> tuple[pl.Trainer, Scripted]:
    """A training of as many epochs as there are values."""
    module = Scripted(values)
    made = trainer(folder, BestModel(folder / "model", RECIPE, about={"versions": {"torch": "2"}}), len(values), *more)
    made.fit(module, loader(2), loader(1), **settings)
    return made, module


def loader(rows: int) -> DataLoader[Any]:
    return DataLoader(torch.zeros(rows, 1))  # type: ignore[arg-type]


def weight(folder: Path) -> float:
    return float(read_weights(folder / "model")["weight"])


@pytest.mark.parametrize(
    ("values", "epoch"),
    [([0.2, 0.5, 0.5, 0.1], 1), ([0.3, 0.2], 0), ([0.0, 0.0], 0), ([math.nan, 0.0], 1), ([math.nan, math.nan], 0)],
)
def test_the_first_of_the_highest_validations_is_kept_and_tested(
    values: list[float], epoch: int, tmp_path: Path
) -> None:
    made, module = fitted(tmp_path, values)
    assert weight(tmp_path) == 2 * (epoch + 1)
    settings = read_settings(tmp_path / "model")
    assert (settings["best"]["epoch"], settings["best"]["step"]) == (epoch, 2 * (epoch + 1))
    assert (settings["versions"], settings["config"]) == ({"torch": "2"}, {"seed": 1})
    made.test(module, loader(1), verbose=False)
    assert module.tested == 2 * (epoch + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_weights_that_are_averaged_for_validation_are_those_kept(tmp_path: Path) -> None:
    """After steps that make the weight 1 to 4, the average is 1, 1.5, 2.25 and 3.125: half the old, half the new."""
    made, module = fitted(tmp_path, [0.5, 0.9], EMAWeightAveraging(decay=0.5))
    assert weight(tmp_path) == 3.125
    made.test(module, loader(1), verbose=False)
    assert module.tested == 3.125


def test_training_that_goes_on_keeps_the_best_of_before(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [0.2, 0.9])
    made.save_checkpoint(tmp_path / "last.ckpt")
    for values, epoch in (([0.0, 0.0, 0.8], 1), ([0.0, 0.0, 0.8, 0.95], 3)):
        fitted(tmp_path, values, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        assert weight(tmp_path) == 2 * (epoch + 1)


def test_the_best_of_another_folder_or_of_a_removed_model_is_forgotten(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [0.2, 0.9])
    made.save_checkpoint(tmp_path / "last.ckpt")
    fitted(tmp_path / "other", [0.0, 0.99])
    for folder in (tmp_path / "new", tmp_path / "other"):
        fitted(folder, [0.0, 0.0, 0.8], ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        assert weight(folder) == 6


def test_a_model_newer_than_the_checkpoint_is_written_again(tmp_path: Path) -> None:
    """Killed between the second validation and its checkpoint: the folder has the second model, the state the first."""
    made, _ = fitted(tmp_path, [0.2])
    made.save_checkpoint(tmp_path / "last.ckpt")
    fitted(tmp_path, [0.2, 0.9])
    fitted(tmp_path, [0.2, 0.9], ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert weight(tmp_path) == 4


def test_another_jobs_model_is_not_tested(tmp_path: Path) -> None:
    made, module = fitted(tmp_path, [0.2, 0.9])
    fitted(tmp_path, [0.9])
    with pytest.raises(ClirError, match=r"model no longer holds the model of step 4, .*; give each job a folder"):
        made.test(module, loader(1), verbose=False)


def test_a_crash_in_the_middle_of_a_swap_is_mended_when_training_goes_on(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [0.2, 0.9])
    made.save_checkpoint(tmp_path / "last.ckpt")
    (tmp_path / "model").rename(tmp_path / ".model.host.999999.aaaa.partial")
    for values in ([0.2, 0.9, 0.1], [0.2, 0.9]):  # an epoch is left, or none
        made, module = fitted(tmp_path, values, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        made.test(module, loader(1), verbose=False)
        assert module.tested == 4


def test_without_a_validation_there_is_nothing_to_test(tmp_path: Path) -> None:
    best = BestModel(tmp_path / "model", RECIPE)
    made = trainer(tmp_path, best, 1, limit_val_batches=0)
    module = Scripted([0.0])
    made.fit(module, loader(2), loader(1))
    with pytest.raises(ClirError, match=r"there was no validation, so that .*model holds no model to test; train for"):
        made.test(module, loader(1), verbose=False)
