"""The model folder follows the best validation: the first of equal ones, averaged weights, training that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch import Tensor, nn
from torch.utils.data import DataLoader

from clir_lightning.data.files.trec import read_run
from clir_lightning.errors import ClirError
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.models.model_folder import read_settings, read_weights, write_model_folder
from clir_lightning.models.saved import Recipe
from clir_lightning.types import Sample

RECIPE = Recipe({"seed": 1}, {"config.json": b"{}", "tokenizer_config.json": b"{}"})


# Seven queries with one relevant document, `d0`, and ten others each.
QUERIES = [f"q{i}" for i in range(7)]
DOCUMENTS = [f"d{i}" for i in range(11)]
POOL = Pool.of(dict.fromkeys(QUERIES, DOCUMENTS), {query: {"d0": 1} for query in QUERIES})
EQUAL = ((1, 2, 3, 4, 5, 6, 7), (4, 1, 5, 7, 2, 6, 3))  # the same ranks of other queries


class Scripted(pl.LightningModule):
    """A weight that grows by 1 per step, two steps per epoch.

    In the validation of epoch e the relevant documents have the ranks `ranks[e]`, or all the same one.
    """

    def __init__(self, ranks: Sequence[int | Sequence[int]]) -> None:
        super().__init__()
        self.ranks = ranks
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        self.tested: float | None = None

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return -self.model.weight.sum()

    def validation_step(self, batch: Any, index: int) -> Tensor:
        ranks = self.ranks[self.current_epoch]
        scores = -torch.arange(11.0).repeat(7, 1)
        scores[:, 0] = 0.5 - torch.tensor([ranks] * 7 if isinstance(ranks, int) else ranks)
        return scores

    def test_step(self, batch: Any, index: int) -> Tensor:
        self.tested = float(self.model.weight.detach())
        return torch.zeros(7, 11)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def trainer(folder: Path, best: BestModel, epochs: int, *more: pl.Callback, **settings: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[best.metrics, *more, best],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=str(folder),
        **settings,
    )


def callback(folder: Path) -> BestModel:
    metrics = RankingMetrics({"val": POOL, "test": POOL}, folder=folder)
    return BestModel(folder / "model", RECIPE, metrics, {"versions": {"torch": "2"}})


def fitted(
    folder: Path, ranks: Sequence[int | Sequence[int]], *more: pl.Callback, **settings: Any
) -> tuple[pl.Trainer, Scripted]:
    """A training of as many epochs as there are ranks."""
    module = Scripted(ranks)
    made = trainer(folder, callback(folder), len(ranks), *more)
    made.fit(module, steps(), candidates(), **settings)
    return made, module


def steps() -> DataLoader[Any]:
    return DataLoader(torch.zeros(2, 1))  # type: ignore[arg-type]


def candidates() -> DataLoader[Any]:
    samples = tuple(Sample(query, tuple(DOCUMENTS), (0,) * 11) for query in QUERIES)
    return DataLoader([SimpleNamespace(samples=samples)], collate_fn=lambda rows: rows[0])  # type: ignore[arg-type]


def kept(made: pl.Trainer, folder: Path) -> int:
    """The relevant document's rank in the validation that is kept, in measures and run file alike."""
    metrics = made.callbacks[0]  # type: ignore[attr-defined]
    ranking = read_run(folder / "runs" / "val.trec")["q0"]
    rank = sorted(ranking, key=lambda document: -ranking[document]).index("d0") + 1
    assert metrics.evaluations["val"].per_query["q0"]["mrr_10"] == pytest.approx(1 / rank if rank <= 10 else 0)
    return rank


def weight(folder: Path) -> float:
    return float(read_weights(folder / "model")["weight"])


@pytest.mark.parametrize(
    ("ranks", "epoch"), [([4, 2, 2, 5], 1), ([3, 4], 0), ([11, 11], 0), ([11, 10], 1), (EQUAL, 0), (EQUAL[::-1], 0)]
)
def test_the_first_of_the_highest_validations_is_kept_and_tested(
    ranks: list[int | Sequence[int]], epoch: int, tmp_path: Path
) -> None:
    made, module = fitted(tmp_path, ranks)
    best = ranks[epoch]
    assert kept(made, tmp_path) == (best if isinstance(best, int) else best[0])
    assert weight(tmp_path) == 2 * (epoch + 1)
    settings = read_settings(tmp_path / "model")
    assert (settings["best"]["epoch"], settings["best"]["step"]) == (epoch, 2 * (epoch + 1))
    assert (settings["versions"], settings["config"]) == ({"torch": "2"}, {"seed": 1})
    made.test(module, candidates(), verbose=False)
    assert module.tested == 2 * (epoch + 1)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "runs"}


def test_weights_that_are_averaged_for_validation_are_those_kept(tmp_path: Path) -> None:
    """After steps that make the weight 1 to 4, the average is 1, 1.5, 2.25 and 3.125: half the old, half the new."""
    made, module = fitted(tmp_path, [4, 2], EMAWeightAveraging(decay=0.5))
    assert weight(tmp_path) == 3.125
    made.test(module, candidates(), verbose=False)
    assert module.tested == 3.125


def test_training_that_goes_on_keeps_the_best_of_before(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [4, 2])
    made.save_checkpoint(tmp_path / "last.ckpt")
    for ranks, epoch, best in (([11, 11, 3], 1, 2), ([11, 11, 3, 1], 3, 1)):
        made, _ = fitted(tmp_path, ranks, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        assert weight(tmp_path) == 2 * (epoch + 1)
        assert kept(made, tmp_path) == best


def test_the_best_of_another_folder_or_of_a_removed_model_is_forgotten(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [4, 2])
    made.save_checkpoint(tmp_path / "last.ckpt")
    fitted(tmp_path / "other", [11, 1])
    for folder in (tmp_path / "new", tmp_path / "other"):
        made, _ = fitted(folder, [11, 11, 3], ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        assert weight(folder) == 6
        assert kept(made, folder) == 3


def test_a_model_newer_than_the_checkpoint_is_written_again(tmp_path: Path) -> None:
    """Killed between the second validation and its checkpoint: the folder has the second model, the state the first."""
    made, _ = fitted(tmp_path, [4])
    made.save_checkpoint(tmp_path / "last.ckpt")
    fitted(tmp_path, [4, 2])
    made, _ = fitted(tmp_path, [4, 5], ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert weight(tmp_path) == 4
    assert kept(made, tmp_path) == 5


def test_another_jobs_model_is_not_tested(tmp_path: Path) -> None:
    made, module = fitted(tmp_path, [4, 2])
    fitted(tmp_path, [2])
    with pytest.raises(ClirError, match=r"model no longer holds the model of step 4, .*; give each job a folder"):
        made.test(module, candidates(), verbose=False)


def test_a_crash_in_the_middle_of_a_swap_is_mended_when_training_goes_on(tmp_path: Path) -> None:
    made, _ = fitted(tmp_path, [4, 2])
    made.save_checkpoint(tmp_path / "last.ckpt")
    for ranks in ([4, 2, 5], [4, 2]):  # an epoch is left, or none
        (tmp_path / "model").rename(tmp_path / ".model.host.999999.aaaa.partial")
        write_model_folder(tmp_path / ".model.host.999999.bbbb.partial", RECIPE, {}, {"best": {"step": 6}})  # the newer
        made, module = fitted(tmp_path, ranks, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
        assert kept(made, tmp_path) == 2
        made.test(module, candidates(), verbose=False)
        assert module.tested == 4


def test_a_fresh_training_does_not_show_what_a_dead_one_left_hidden(tmp_path: Path) -> None:
    write_model_folder(tmp_path / ".model.host.999999.aaaa.partial", RECIPE, {}, {"best": {"step": 1}})
    best = callback(tmp_path)
    best.on_train_start(None, None)  # type: ignore[arg-type]
    assert not (tmp_path / "model").exists()


def test_without_a_validation_there_is_nothing_to_test(tmp_path: Path) -> None:
    made = trainer(tmp_path, callback(tmp_path), 1, limit_val_batches=0)
    module = Scripted([11])
    made.fit(module, steps(), candidates())
    with pytest.raises(ClirError, match=r"there was no validation, so that .*model holds no model to test; train for"):
        made.test(module, candidates(), verbose=False)
