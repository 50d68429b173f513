"""`clir train`: from a collection to a trained model, its run files and the table."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import plain, portable
from clir_lightning.data.batches.settings import AUTO
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.evaluation.evaluate import MEASURES
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.jobs.assembly import (
    make_callbacks,
    make_computing,
    make_data,
    make_loggers,
    make_losses,
    make_module,
    make_trainer,
)
from clir_lightning.jobs.launch.processes import processes
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.lightning.checkpoints import BEFORE, LAST
from clir_lightning.lightning.loggers.wandb_run import close_runs, open_runs
from clir_lightning.lightning.optimisation import flush_denormals
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.models.model_folder import FOLDER
from clir_lightning.outputs.baselines import bounding_rows
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.results import FILES, MONITOR, Results
from clir_lightning.outputs.resume import Start, start
from clir_lightning.scoring.auto import attention_of, settled
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.processes import once

log = logging.getLogger(__name__)

# What a resumed job goes on from; what a killed job was about to put in its place is hidden beside it.
UNFINISHED = (
    *("runs/val.trec", FOLDER, f".{FOLDER}.*.partial"),
    *(f"checkpoints/{LAST}", f"checkpoints/{BEFORE}", "checkpoints/.*.partial"),
)


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
    flush_denormals()
    pl.seed_everything(config.seed, verbose=False)
    watch = Stopwatch()

    # What is trained, on what; the settings that can be judged without the data come first.
    at = make_computing(config.trainer)
    losses = make_losses(config)
    with watch.stage("data"):
        data = make_data(config, at)
        log.info("%s: %d documents; queries: %s", data.collection.name, len(data.collection.documents), data.counts())
    with watch.stage("model"):
        module = make_module(config, losses, data, folder)
        _settle(config, at, module, data)
    pools = {stage: Pool.of(scored.run, scored.qrels) for stage, scored in data.candidates.items()}
    metrics = RankingMetrics(pools, folder=folder, name=config.name, monitor=MONITOR)
    callbacks = make_callbacks(config, folder, metrics, module)
    trainer = make_trainer(config, folder, at.precision, callbacks, make_loggers(config, folder, begin))

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


def _settle(config: DictConfig, at: Computing, module: RankingModule[Any], data: RankingDataModule) -> None:
    """Decide what is left of the settings that are `auto`, and tell in one line what each became."""
    scored = list(data.candidates.values())
    tokens = settled(module.model, at, scored, cache=config.cache)
    became = {
        "encoder.attention": f"attention {attention_of(module.model.encoder)}",
        "batches.score_tokens": str(tokens),
        "trainer.precision": f"precision {at.precision}",
        "batches.workers": f"{data.batches.workers} workers",
        "module.parts": "1 part a training step" if module.parts == 1 else f"{module.parts} parts a training step",
    }
    told = [value for name, value in became.items() if OmegaConf.select(config, name) == AUTO]
    if told:
        log.info("auto: %s", ", ".join(told))


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
