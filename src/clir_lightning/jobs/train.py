"""`clir train`: from a collection to a trained model, its run files and the table."""

from __future__ import annotations

import logging
import shutil
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
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.evaluate import MEASURES
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.jobs.launch import devices
from clir_lightning.jobs.launch.processes import processes
from clir_lightning.jobs.launch.sweep import in_sweep
from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.lightning.callbacks.interruption import FiniteLoss, Interruption
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.lightning.callbacks.training_bar import TrainingBar
from clir_lightning.lightning.checkpoints import BEFORE, LAST, LastCheckpoint, WholeFileIO
from clir_lightning.lightning.kinds import check_kinds
from clir_lightning.lightning.loggers.wandb_run import JobInfo, close_runs, open_runs
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.warm_start import load_weights
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.needs import check_samples, check_settings
from clir_lightning.models.contracts import check_contract
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import FOLDER, reject_trained
from clir_lightning.models.saved import Recipe
from clir_lightning.outputs.baselines import bounding_rows
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, commit, provenance, versions, write_json
from clir_lightning.outputs.results import FILES, MONITOR, Results
from clir_lightning.outputs.resume import Start, start
from clir_lightning.scoring.precision import precision_for
from clir_lightning.scoring.processes import once, rank

log = logging.getLogger(__name__)

# What a resumed job goes on from; a model that a killed job was about to put in its place is hidden beside it.
UNFINISHED = ("runs/val.trec", FOLDER, f".{FOLDER}.*.partial", f"checkpoints/{LAST}", f"checkpoints/{BEFORE}")

# What Lightning would do besides, and what this project does itself.
OWN_WAY = {
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "log_every_n_steps": 10,
}


def main(config: DictConfig) -> float:
    """Run the job; returns the best `val/ndcg_10`, for sweeps to maximise."""
    folder = output_folder(config)
    begin = start(config.resume, portable(config), folder)
    if begin.finished is not None:
        return float(begin.finished["val"][MONITOR])
    with processes("train", config, resume=None if begin.checkpoint is None else str(begin.checkpoint)):
        return _train(config, folder, begin)


def _train(config: DictConfig, folder: Path, begin: Start) -> float:
    """The job in one of its processes."""
    pl.seed_everything(config.seed, verbose=False)
    watch = Stopwatch()

    # What is trained, on what; the settings that can be judged without the data come first.
    _precision(config.trainer)
    losses = _losses(config)
    with watch.stage("data"):
        data = _data(config)
        log.info("%s: %d documents; queries: %s", data.collection.name, len(data.collection.documents), data.counts())
    with watch.stage("model"):
        module = _module(config, losses, data, folder)
    pools = {stage: Pool.of(scored.run, scored.qrels) for stage, scored in data.candidates.items()}
    metrics = RankingMetrics(pools, folder=folder, name=config.name, monitor=MONITOR)
    callbacks = _callbacks(config, folder, metrics, module)
    trainer = _trainer(config, folder, callbacks, _loggers(config, folder, begin))

    # From here on nothing is rejected: what an earlier job left in the folder may go.
    once(lambda: claim(config, folder, [*FILES, *(UNFINISHED if begin.checkpoint is None else ())]))
    open_runs(trainer.loggers, MEASURES)

    # However the job ends, the loggers' runs end with it.
    try:
        with watch.stage("training"):
            trainer.fit(module, data, ckpt_path=begin.checkpoint)
        with watch.stage("test"):
            trainer.test(module, data, verbose=False)  # of the best model, which `BestModel` loads
        if trainer.is_global_zero:
            _report(Results(config.name, folder, data, metrics.evaluations), config, pools["test"], watch, trainer)
    except BaseException:
        close_runs(trainer.loggers, failed=True)
        raise
    close_runs(trainer.loggers, failed=False)
    return metrics.evaluations["val"].means[MONITOR]


def _report(results: Results, config: DictConfig, pool: Pool, watch: Stopwatch, trainer: pl.Trainer) -> None:
    """The results' files first: what comes after them can fail without loss."""
    origin = results.folder / "provenance.json"
    write_json(provenance(plain(config), config.seed, watch), origin)
    results.write()

    # The rows around the result, whose seconds count too.
    with watch.stage("baselines"):
        around, notes = bounding_rows(results.data, pool, results.folder)
    write_json(provenance(plain(config), config.seed, watch), origin)

    results.show(around, notes)
    results.log(trainer.loggers, around)


def _losses(config: DictConfig) -> dict[str, RankingLoss]:
    """The losses, once architecture and teacher are known to give what they need."""
    losses: dict[str, RankingLoss] = build_all(config.loss)
    if not losses:
        raise ConfigError("there is no loss to train with; add loss=[softmax_hinge] or another of conf/loss")
    architecture, settings = outline(config.architecture)
    check_kinds(architecture, outline(config.batches)[0], outline(config.module)[0])
    # A function that makes an architecture does not tell what that gives.
    outputs = architecture.outputs(**settings) if hasattr(architecture, "outputs") else None
    learn = settings.get("learn_temperature", False)
    check_settings(losses, outputs, learn_temperature=learn, teacher=config.teacher)
    return losses


def _data(config: DictConfig) -> RankingDataModule:
    collection = build(config.data)
    return RankingDataModule(
        collection,
        build(config.batches),
        sampling=Taught(build(config.sampling), config.teacher),
        candidates=build(config.candidates),
        splits=plain(config.splits),
        cache=config.cache,
        seed=config.seed,
    )


def _module(
    config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule, folder: Path
) -> RankingModule[Any]:
    """The model in its training module, and the data tokenised for it."""
    # The architecture over its encoder, perhaps with the weights of an earlier training.
    encoder = _encoder(config, data, folder)
    model = build(config.architecture, encoder)
    check_contract(model)
    model.check_lengths(data.batches.max_length, data.batches.query_length)
    if config.init_from is not None:
        load_weights(model, Path(config.init_from))

    # Samples are drawn from tokenised texts, so that they can be checked only now.
    data.tokenise(encoder.tokenizer)
    module: RankingModule[Any] = build(config.module, model, losses, optimisation=build(config.optimizer))
    _check_samples(config, losses, data)
    return module


def _encoder(config: DictConfig, data: RankingDataModule, folder: Path) -> Encoder:
    source = build(config.encoder)
    made = folder / "encoder.partial"  # where every process finds an encoder that the first has made; gone at the end
    try:
        name = once(lambda: source.prepare(data.collection, data.splits["train"], made, config.seed))
        reject_trained(name)
        encoder = Encoder(name, source)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
    finally:
        if rank() == 0:
            shutil.rmtree(made, ignore_errors=True)
    return encoder


def _check_samples(config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule) -> None:
    """Whether the samples teach the losses: those of the first epoch, and of all where a teacher may lack a score."""
    check_samples(losses, data.training.samples(0))
    if config.teacher is not None:
        for epoch in range(1, config.trainer.max_epochs or 1):
            data.training.samples(epoch)  # raises for a pair without a score


def _callbacks(config: DictConfig, folder: Path, metrics: RankingMetrics, module: RankingModule[Any]) -> list[Any]:
    """This project's callbacks around those that the settings choose, in the order in which they are called."""
    # What is kept of the model: the best epoch's folder, and the checkpoints to go on from.
    recipe = Recipe.of(portable(config), module.model.encoder)  # type: ignore[arg-type]
    best = BestModel(folder / FOLDER, recipe, metrics, {"versions": versions(), "commit": commit()})
    last = LastCheckpoint(folder / "checkpoints", recipe, config.checkpoint_steps)
    first = [metrics, Throughput(), Resumption(), FiniteLoss(folder)]
    bar = [TrainingBar()] if config.trainer.get("enable_progress_bar", True) else []
    return [*first, *_chosen(config, module), best, last, Interruption(last), *bar]


def _chosen(config: DictConfig, module: RankingModule[Any]) -> list[pl.Callback]:
    """The callbacks of the settings. Raises `ConfigError` for one that does not fit the model."""
    callbacks: list[Any] = list(build_all(config.callbacks).values())
    for callback in callbacks:
        if hasattr(callback, "check"):
            callback.check(module)
    return callbacks


def _loggers(config: DictConfig, folder: Path, begin: Start) -> list[Logger]:
    """The loggers, told which job of which sweep this is, and the step that it goes on from."""
    group = folder.parent.name if in_sweep() else None
    job = JobInfo(folder, name=f"{config.name} {folder.name}", group=group, config=plain(config), step=begin.step)
    return list(build_all(config.logger, job=job).values())


def _sweep_number() -> int | None:
    """This job's number within its sweep."""
    return HydraConfig.get().job.num if in_sweep() else None


def _trainer(config: DictConfig, folder: Path, callbacks: list[Any], loggers: list[Logger]) -> pl.Trainer:
    """Lightning's trainer. Raises `ConfigError` for settings that Lightning cannot bring together."""
    try:
        trainer: pl.Trainer = build(
            config.trainer,
            devices=devices.of_job(config.trainer, _sweep_number(), torch.cuda.device_count()),
            precision=_precision(config.trainer),
            callbacks=callbacks,
            logger=loggers,
            # Several processes are this job's own business (jobs/launch/processes.py), on SLURM too.
            plugins=[WholeFileIO(), LightningEnvironment()],
            default_root_dir=str(folder),
            **OWN_WAY,
        )
    except (MisconfigurationException, ValueError) as error:
        raise ConfigError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer


def _precision(trainer: DictConfig) -> str:
    """What is computed in, on the devices that the trainer's settings name."""
    on_gpus = devices.cards(trainer, torch.cuda.device_count()) is not None
    return precision_for(trainer.get("precision"), gpu=on_gpus)
