"""What a training is put together from: losses, data, model, callbacks, loggers and Lightning's trainer."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed
from hydra.core.hydra_config import HydraConfig
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from clir_lightning.build import build, build_all, outline, plain, portable
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.teacher import Taught
from clir_lightning.data.store.folders import partial_path, remove_abandoned
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch import devices
from clir_lightning.jobs.launch.sweep import in_sweep
from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.lightning.callbacks.interruption import FiniteLoss, Interruption
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.lightning.callbacks.training_bar import TrainingBar
from clir_lightning.lightning.callbacks.training_log import TrainingLog
from clir_lightning.lightning.checkpoints import LastCheckpoint, WholeFileIO
from clir_lightning.lightning.kinds import check_kinds, check_knowledge
from clir_lightning.lightning.loggers.wandb_run import JobInfo
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.warm_start import load_weights
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.needs import check_samples, check_settings
from clir_lightning.models.contracts import check_contract
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import FOLDER, reject_trained
from clir_lightning.models.saved import Recipe
from clir_lightning.outputs.provenance import commit, versions
from clir_lightning.outputs.resume import Start
from clir_lightning.progress import stage
from clir_lightning.rank import rank
from clir_lightning.scoring.auto import parts_for
from clir_lightning.scoring.computing import CPU, Computing, cores, workers_for
from clir_lightning.scoring.precision import precision_for
from clir_lightning.scoring.processes import once

log = logging.getLogger(__name__)

# What Lightning would do besides, and what this project does itself.
OWN_WAY = {
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "log_every_n_steps": 10,
}


def make_computing(trainer: DictConfig) -> Computing:
    """This process's device, by the trainer's settings, and the precision that they ask for."""
    available = torch.cuda.device_count()
    if devices.cards(trainer, available) is None:
        return Computing(CPU, precision_for(trainer.get("precision"), gpu=False))

    # A sweep's jobs take turns on the cards.
    own = {**plain(trainer), "devices": devices.of_job(trainer, _sweep_number(), available)}
    cards = devices.cards(own, available) or [0]
    place = torch.device("cuda", cards[int(os.environ.get("LOCAL_RANK", "0"))])
    return Computing(place, precision_for(trainer.get("precision"), gpu=True))


def make_losses(config: DictConfig) -> dict[str, RankingLoss]:
    """The losses, once architecture and teacher are known to give what they need."""
    losses: dict[str, RankingLoss] = build_all(config.loss)
    if not losses:
        raise ConfigError("there is no loss to train with; add loss=[softmax_hinge] or another of conf/loss")
    architecture, settings = outline(config.architecture)
    batches, of_batches = outline(config.batches)
    check_kinds(architecture, batches, outline(config.module)[0])
    check_knowledge(architecture, batches, of_batches)
    # A function that makes an architecture does not tell what that gives.
    outputs = architecture.outputs(**settings) if hasattr(architecture, "outputs") else None
    learn = settings.get("learn_temperature", False)
    check_settings(losses, outputs, learn_temperature=learn, teacher=config.teacher)
    return losses


def make_data(config: DictConfig, at: Computing) -> RankingDataModule:
    """The collection in its batches, which are assembled as the device wants it."""
    # The collection last: what is wrong with the other settings is told before it is prepared.
    batches = build(config.batches)
    sampling = Taught(build(config.sampling), config.teacher)
    candidates = build(config.candidates)
    return RankingDataModule(
        build(config.data),
        replace(batches, workers=workers_for(batches.workers, at.device, cores())),
        sampling=sampling,
        candidates=candidates,
        splits=plain(config.splits),
        cache=config.cache,
        seed=config.seed,
    )


def make_module(
    config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule, folder: Path
) -> RankingModule[Any]:
    """The model in its training module, and the data tokenised for it."""
    # The architecture over its encoder, perhaps with the weights of an earlier training.
    encoder = make_encoder(config, data, folder)
    model = build(config.architecture, encoder)
    check_contract(model)
    model.check_lengths(data.batches.max_length, data.batches.query_length)
    if config.init_from is not None:
        load_weights(model, Path(config.init_from))

    # Samples are drawn from tokenised texts, so that they can be checked only now.
    data.tokenise(encoder.tokenizer)
    added = {"optimisation": build(config.optimizer), "parts": parts_for(config.module.get("parts", 1), encoder)}
    module: RankingModule[Any] = build(config.module, model, losses, **added)
    check_drawn(config, losses, data)
    return module


def make_encoder(config: DictConfig, data: RankingDataModule, folder: Path) -> Encoder:
    """The encoder; one that has to be made first is made once, by the first process."""
    source = build(config.encoder)
    made = partial_path(folder / "encoder")  # where an encoder lies that has to be made; gone at the end
    reject_trained(str(config.encoder.get("name", made)))
    more = {"prefixes": data.batches.prefixes, "cache": config.cache}

    def prepare() -> str:
        remove_abandoned(folder / "encoder")
        return str(source.prepare(data.collection, data.splits["train"], made, config.seed, **more))

    # Where it lies has a name of its own: another command may have begun in the same folder, and has to be rejected.
    try:
        with stage("preparing the encoder"):
            name = once(prepare)
        encoder = Encoder(name, source)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
    finally:
        if rank() == 0:
            shutil.rmtree(made, ignore_errors=True)
    return encoder


def check_drawn(config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule) -> None:
    """Whether the samples teach the losses: those of the first epoch, and of all where a teacher may lack a score."""
    check_samples(losses, data.training.samples(0))
    if config.teacher is not None:
        for epoch in range(1, config.trainer.max_epochs or 1):
            data.training.samples(epoch)  # raises for a pair without a score


def make_callbacks(config: DictConfig, folder: Path, metrics: RankingMetrics, module: RankingModule[Any]) -> list[Any]:
    """This project's callbacks around those that the settings choose, in the order in which they are called."""
    # What is kept of the model: the best epoch's folder, and the checkpoints to go on from.
    recipe = Recipe.of(portable(config), module.model.encoder)  # type: ignore[arg-type]
    best = BestModel(folder / FOLDER, recipe, metrics, {"versions": versions(), "commit": commit()})
    last = LastCheckpoint(folder / "checkpoints", recipe, config.checkpoint_steps)
    first = [metrics, Throughput(), Resumption(), FiniteLoss(folder)]

    # What tells how it goes, last: an epoch's line says what the others made of it.
    bar = TrainingBar.where(config.trainer.get("enable_progress_bar", True))
    told = [TrainingLog(best, bar), *([] if bar is None else [bar])]
    return [*first, *_chosen(config, module), best, last, Interruption(last), *told]


def _chosen(config: DictConfig, module: RankingModule[Any]) -> list[pl.Callback]:
    """The callbacks of the settings. Raises `ConfigError` for one that does not fit the model."""
    callbacks: list[Any] = list(build_all(config.callbacks).values())
    for callback in callbacks:
        if hasattr(callback, "check"):
            callback.check(module)
    return callbacks


def make_loggers(config: DictConfig, folder: Path, begin: Start) -> list[Logger]:
    """The loggers, told which job of which sweep this is, and the step that it goes on from."""
    group = folder.parent.name if in_sweep() else None
    job = JobInfo(folder, name=f"{config.name} {folder.name}", group=group, config=plain(config), step=begin.step)
    return list(build_all(config.logger, job=job).values())


def _sweep_number() -> int | None:
    """This job's number within its sweep."""
    return HydraConfig.get().job.num if in_sweep() else None


def make_trainer(
    config: DictConfig, folder: Path, precision: str, callbacks: list[Any], loggers: list[Logger]
) -> pl.Trainer:
    """Lightning's trainer. Raises `ConfigError` for settings that Lightning cannot bring together."""
    # Without a bar of this project's Lightning would draw one of its own.
    bar = any(isinstance(callback, TrainingBar) for callback in callbacks)

    # What the settings say, and what this job brings.
    try:
        trainer: pl.Trainer = build(
            config.trainer,
            devices=devices.of_job(config.trainer, _sweep_number(), torch.cuda.device_count()),
            precision=precision,
            callbacks=callbacks,
            enable_progress_bar=bar,
            logger=loggers,
            # Several processes are this job's own business (jobs/launch/processes.py), on SLURM too.
            plugins=[WholeFileIO(), LightningEnvironment()],
            default_root_dir=str(folder),
            **OWN_WAY,
        )

    # In one line of this program's, with the setting's name.
    except (MisconfigurationException, ValueError) as error:
        raise ConfigError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer
