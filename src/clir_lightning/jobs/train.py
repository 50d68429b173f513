"""`clir train`: from a collection to a trained model, its run files and the table."""

from __future__ import annotations

import logging
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
from rich.console import Console

from clir_lightning.build import build, build_all, outline, plain, portable
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import read_run, write_qrels
from clir_lightning.data.sampling.teacher import Taught
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.evaluate import MEASURES, Evaluation
from clir_lightning.evaluation.per_query import write_per_query
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.tables import result_table
from clir_lightning.jobs.launch import devices
from clir_lightning.jobs.launch.processes import processes
from clir_lightning.jobs.launch.sweep import in_sweep
from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.lightning.callbacks.interruption import FiniteLoss, Interruption
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.lightning.checkpoints import BEFORE, LAST, LastCheckpoint, WholeFileIO
from clir_lightning.lightning.loggers.wandb_run import JobInfo, close_runs, hardest, open_runs, report
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.warm_start import load_weights
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.needs import check_samples, check_settings
from clir_lightning.models.contracts import check_contract
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import FOLDER as MODEL
from clir_lightning.models.model_folder import refuse_trained
from clir_lightning.models.saved import Recipe
from clir_lightning.outputs.baselines import BASELINES, floors
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, commit, provenance, versions, write_json
from clir_lightning.outputs.resume import Start, start
from clir_lightning.scoring.precision import precision_for
from clir_lightning.scoring.processes import once, rank

log = logging.getLogger(__name__)

MONITOR = "ndcg_10"
RESULTS = (
    *("metrics.json", "provenance.json", "per_query.csv", "runs/val.qrels", "runs/test.qrels", "runs/test.trec"),
    *(f"runs/test.{name}.trec" for name in BASELINES),
)
UNFINISHED = ("runs/val.trec", MODEL, f"checkpoints/{LAST}", f"checkpoints/{BEFORE}")  # what a resumed job goes on from


def _trainer(
    config: DictConfig, folder: Path, metrics: RankingMetrics, begin: Start, module: RankingModule[Any]
) -> pl.Trainer:
    # What is kept of the model: the best epoch's folder, and the checkpoints to go on from.
    recipe = Recipe.of(portable(config), module.model.encoder)  # type: ignore[arg-type]
    best = BestModel(folder / MODEL, recipe, f"val/{MONITOR}", {"versions": versions(), "commit": commit()})
    last = LastCheckpoint(folder / "checkpoints", recipe, config.checkpoint_steps)

    # The callbacks that the settings choose must fit the model.
    chosen = build_all(config.callbacks).values()
    for callback in chosen:
        if hasattr(callback, "check"):
            callback.check(module)
    own = [metrics, Throughput(), Resumption(), FiniteLoss(folder)]

    # Loggers are told which job of which sweep this is, and the step that it goes on from.
    group, number = (folder.parent.name, HydraConfig.get().job.num) if in_sweep() else (None, None)
    job = JobInfo(folder, name=f"{config.name} {folder.name}", group=group, config=plain(config), step=begin.step)
    loggers = build_all(config.logger, job=job)

    try:
        trainer: pl.Trainer = build(
            config.trainer,
            devices=devices.of_job(config.trainer, number, torch.cuda.device_count()),
            precision=_precision(config.trainer),
            callbacks=[*own, *chosen, best, last, Interruption(last)],
            logger=list(loggers.values()),
            # Several processes are this job's own business (jobs/launch/processes.py), on SLURM too.
            plugins=[WholeFileIO(), LightningEnvironment()],
            default_root_dir=str(folder),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            log_every_n_steps=10,
        )
    except (MisconfigurationException, ValueError) as error:  # settings that Lightning cannot bring together
        raise ConfigError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer


def _precision(trainer: DictConfig) -> str:
    """What is computed in, on the devices that the trainer's settings name."""
    on_gpus = devices.cards(trainer, torch.cuda.device_count()) is not None
    return precision_for(trainer.get("precision"), gpu=on_gpus)


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


def _losses(config: DictConfig) -> dict[str, RankingLoss]:
    """The losses, once architecture and teacher are known to give what they need."""
    losses: dict[str, RankingLoss] = build_all(config.loss)
    if not losses:
        raise ConfigError("there is no loss to train with; add loss=[softmax_hinge] or another of conf/loss")
    architecture, settings = outline(config.architecture)
    # An architecture from elsewhere need not tell what it gives.
    outputs = architecture.outputs(**settings) if hasattr(architecture, "outputs") else None
    learn = settings.get("learn_temperature", False)
    check_settings(losses, outputs, learn_temperature=learn, teacher=config.teacher)
    return losses


def _encoder(config: DictConfig, data: RankingDataModule, folder: Path) -> Encoder:
    source = build(config.encoder)
    made = folder / "encoder.partial"  # where every process finds an encoder that the first has made; gone at the end
    try:
        name = once(lambda: source.prepare(data.collection, data.splits["train"], made, config.seed))
        refuse_trained(name)
        encoder = Encoder(name, source)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
    finally:
        if rank() == 0:
            shutil.rmtree(made, ignore_errors=True)
    return encoder


def _module(
    config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule, folder: Path
) -> RankingModule[Any]:
    encoder = _encoder(config, data, folder)
    model = build(config.architecture, encoder)
    check_contract(model)
    model.check_lengths(data.batches.max_length, data.batches.query_length)
    if config.init_from is not None:
        load_weights(model, Path(config.init_from))
    data.tokenise(encoder.tokenizer)
    module: RankingModule[Any] = build(config.module, model, losses, optimisation=build(config.optimizer))
    _check_samples(config, losses, data)
    return module


def _check_samples(config: DictConfig, losses: dict[str, RankingLoss], data: RankingDataModule) -> None:
    """Whether the samples teach the losses: those of the first epoch, and of all where a teacher may lack a score."""
    check_samples(losses, data.training.samples(0))
    if config.teacher is not None:
        for epoch in range(1, config.trainer.max_epochs or 1):
            data.training.samples(epoch)  # raises for a pair without a score


def main(config: DictConfig) -> float:
    """Run the job; returns the best `val/ndcg_10`, for sweeps to maximise."""
    folder = output_folder(config)
    begin = start(config.resume, portable(config), folder)
    if begin.finished is not None:
        return float(begin.finished["val"][MONITOR])
    here = None if begin.checkpoint is None else str(begin.checkpoint)
    with processes("train", config, resume=here):
        return _train(config, folder, begin)


def _train(config: DictConfig, folder: Path, begin: Start) -> float:
    pl.seed_everything(config.seed, verbose=False)
    watch = Stopwatch()
    _precision(config.trainer)  # is it one? before the data is read

    # What is trained, on what.
    losses = _losses(config)
    with watch.stage("data"):
        data = _data(config)
        log.info("%s: %d documents; queries: %s", data.collection.name, len(data.collection.documents), data.counts())
    with watch.stage("model"):
        module = _module(config, losses, data, folder)
    pools = {stage: Pool.of(scored.run, scored.qrels) for stage, scored in data.candidates.items()}
    metrics = RankingMetrics(pools, folder=folder, name=config.name)
    trainer = _trainer(config, folder, metrics, begin, module)

    # From here on nothing is refused: what an earlier job left in the folder may go.
    once(lambda: claim(config, folder, [*RESULTS, *(UNFINISHED if begin.checkpoint is None else ())]))
    open_runs(trainer.loggers, MEASURES)
    try:
        with watch.stage("training"):
            trainer.fit(module, data, ckpt_path=begin.checkpoint)
        with watch.stage("test"):
            trainer.test(module, data, verbose=False)  # of the best model, which `BestModel` loads
        if trainer.is_global_zero:
            _write(config, folder, metrics.evaluations, watch, data)
            with watch.stage("baselines"):
                around, notes = floors(data, pools["test"], folder)
            write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
            _print(config, folder, metrics.evaluations["test"], around, notes, data)
            _show(trainer, folder, data, [*around, metrics.evaluations["test"]])
    except BaseException:
        close_runs(trainer.loggers, failed=True)
        raise
    close_runs(trainer.loggers, failed=False)
    return metrics.evaluations["val"].means[MONITOR]


def _show(trainer: pl.Trainer, folder: Path, data: RankingDataModule, systems: list[Evaluation]) -> None:
    """What W&B shows of the job beside its curves."""
    run, qrels = read_run(folder / "runs" / "test.trec"), data.candidates["test"].qrels
    split = data.candidates["test"].split
    kinds: dict[str, list[float]] = {"relevant": [], "other": []}
    for query in run:
        for document, score in run[query].items():
            kinds["relevant" if qrels[query].get(document, 0) > 0 else "other"].append(score)
    files = {"model": folder / MODEL, "run": folder / "runs" / "test.trec"}
    hard = hardest(systems[-1], run, split.queries, data.collection.documents, MONITOR)
    report(trainer.loggers, systems=systems, hard=hard, scores=kinds, files=files)


def _write(
    config: DictConfig, folder: Path, evaluations: dict[str, Evaluation], watch: Stopwatch, data: RankingDataModule
) -> None:
    """The results' files, `metrics.json` last: what comes after it can fail without loss."""
    for stage, scored in data.candidates.items():
        write_qrels(scored.qrels, folder / "runs" / f"{stage}.qrels")
    write_per_query(evaluations["test"], folder / "per_query.csv")
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    write_json({stage: evaluations[stage].means for stage in ("val", "test")}, folder / "metrics.json")


def _print(
    config: DictConfig,
    folder: Path,
    test: Evaluation,
    around: list[Evaluation],
    notes: list[str],
    data: RankingDataModule,
) -> None:
    """The table, with the rows that it stands between, and the notes below it."""
    title = f"{data.collection.name}, {data.splits['test']}: {len(data.candidates['test'].run)} queries"
    console = Console()
    console.print(result_table(title, [*around[:-1], replace(test, name=f"{config.name} (this run)"), around[-1]]))
    for note in [*test.coverage.notes(), *notes]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    console.print(f"files: {folder}", soft_wrap=True)
    for name in ("metrics.json", "metrics.csv", "per_query.csv", "runs/test.trec", f"{MODEL}/"):
        console.print(f"  {name}")
