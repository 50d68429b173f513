"""A training step never has the host wait for the device, whatever is trained with all callbacks of `clir train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.lightning.callbacks.collapse_alarm import CollapseAlarm
from clir_lightning.lightning.callbacks.interruption import FiniteLoss, Interruption
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.lightning.callbacks.training_bar import TrainingBar
from clir_lightning.lightning.callbacks.training_log import TrainingLog
from clir_lightning.losses.contrastive import AlignmentUniformity, CoSENT, InfoNCE
from clir_lightning.losses.distillation import KLDivergence, MarginMSE
from clir_lightning.losses.listwise import LCE, LambdaLoss, ListNet
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.types import Sample
from host_reads import HostReads
from lightning.shares_for_tests import collection, module, prepared, samples

OF_SCORES = {"hinge": SoftmaxHinge, "listnet": ListNet, "lambda": LambdaLoss, "lce": LCE, "kl": KLDivergence}
OF_VECTORS = {"infonce": InfoNCE, "cosent": CoSENT, "even": AlignmentUniformity, "mse": MarginMSE}


class Drawn(Listwise):
    """Samples with weights and a teacher's scores."""

    def __call__(self, split: Any, *, seed: int, epoch: int) -> list[Sample]:
        return samples(epoch)


class Steps(pl.Callback):
    """Tells which step is under way, within an epoch: from where its batch is there to where the next one's is."""

    def __init__(self, reads: HostReads) -> None:
        self.reads = reads

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.reads.at = batch_idx

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.reads.at = None


def reads_of(
    architecture: str, losses: dict[str, type[RankingLoss]], folder: Path, parts: int = 1
) -> list[tuple[int, str, str]]:
    """What is read in steps 1 to 5 of the 7 of an epoch: the first sets up, the last ends the epoch."""
    batches = PairBatches(size=1) if architecture == "cross" else TextBatches(size=1)
    data = RankingDataModule(collection(), batches, sampling=Drawn(3))
    made = module(architecture, prepared(folder), {name: loss() for name, loss in losses.items()}, parts=parts)
    data.tokenise(made.model.encoder.tokenizer)
    reads = HostReads()
    checkpoints: Any = SimpleNamespace(folder=folder, save=lambda trainer: None)
    own = [Throughput(), Resumption(), FiniteLoss(folder), CollapseAlarm(), Interruption(checkpoints)]
    best: Any = SimpleNamespace(best=None)  # there is no validation
    own += [TrainingLog(best), TrainingBar()]
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[Steps(reads), *own],
        logger=CSVLogger(folder),
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
        default_root_dir=str(folder),
    )
    with reads.watch():
        trainer.fit(made, data)
    assert trainer.global_step == 7
    return [found for found in reads.found if 0 < found[0] < 6]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("architecture", ["cross", "dual", "late"])
def test_no_step_reads_a_number_from_the_device(architecture: str, parts: int, tmp_path: Path) -> None:
    losses = OF_SCORES if architecture == "cross" else OF_VECTORS
    if architecture == "late":
        losses = {name: loss for name, loss in losses.items() if name != "even"}  # of one vector per text
    assert reads_of(architecture, losses, tmp_path, parts) == []


@pytest.mark.parametrize(
    "read",
    [
        lambda loss: loss.item(),
        lambda loss: bool(loss > 0),
        lambda loss: loss.reshape(1)[loss.reshape(1) > 0],
        lambda loss: loss.tolist(),
        lambda loss: loss.detach().cpu(),
        lambda loss: torch.tensor([1.0], device=loss.device),
        lambda loss: loss.new_tensor(1.0),
        lambda loss: torch.nonzero(loss),
    ],
)
def test_a_read_is_found(read: Callable[[Tensor], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reading(SoftmaxHinge):
        def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
            loss = super().forward(scores, labels)
            read(loss.sum())
            return loss

    found = reads_of("cross", {"reading": Reading}, tmp_path)
    assert [step for step, _, _ in found] == [1, 2, 3, 4, 5]
    assert all("test_host_reads.py" in place for _, _, place in found)
