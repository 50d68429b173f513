"""`clir evaluate`: the measures of a run file, or of a checkpoint on a split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.candidate_set import CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_qrels, read_run, write_qrels
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import Evaluation, evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.per_query import write_per_query
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.tables import result_table
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import Trained

FILES = ("metrics.json", "provenance.json", "per_query.csv", "runs/test.trec", "runs/test.qrels")


def bounded(result: Evaluation, pool: Pool) -> list[Evaluation]:
    """The table's rows: the result between random order and the ideal order of the same documents."""
    return [random_order(pool, list(result.means)), result, ideal(pool, list(result.means))]


def candidates_of(trained: DictConfig, config: DictConfig, collection: Collection) -> CandidateSet:
    """What is scored: the training's candidate settings, changed by those given now.

    Its run file and its limit on test queries are of its test split: another split has its judged lists scored, and
    all of them.
    """
    lists: CandidateLists = build(trained.candidates)
    own = config.split == trained.splits.test
    lists = replace(
        lists,
        depth=lists.depth if config.depth is None else config.depth,
        test=lists.test if own and config.candidates is None else config.candidates,
        test_queries=lists.test_queries if own and config.queries is None else config.queries,
    )
    batches = replace(build(trained.batches), score_size=config.score_batch_size)
    return CandidateSet(collection, config.split, lists.run(collection, config.split, "test"), batches)


def evaluate_checkpoint(config: DictConfig, trained: Trained, folder: Path) -> list[Evaluation]:
    """Score the candidates of `config.split` with a checkpoint; its run goes to `folder/runs/test.trec`."""
    settings = trained.config
    at = trained.computing(config.device, config.precision)
    candidates = candidates_of(settings, config, trained.collection(config.data))
    candidates.tokenise(trained.encoder.tokenizer, cache=settings.cache)
    pool = Pool.of(candidates.run, candidates.qrels)
    metrics = RankingMetrics({"test": pool}, folder=folder, name=settings.name, measures=config.measures)
    trainer = pl.Trainer(
        **at.trainer(),
        callbacks=[metrics],
        logger=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        default_root_dir=str(folder),
    )
    claim(config, folder, FILES)
    trainer.test(trained.module, candidates.loader(), verbose=False)
    write_qrels(candidates.qrels, folder / "runs" / "test.qrels")
    return bounded(metrics.evaluations["test"], pool)


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    watch = Stopwatch()
    trained = None
    for name in config.measures:
        measure(name)
    if (config.model is None) == (config.run is None):
        raise ConfigError("give either checkpoint=… (with split=…) or run=… (with qrels=…)")
    if config.run is not None:
        if config.qrels is None:
            raise ConfigError("run=… needs its judgements: add qrels=FILE")
        run, qrels = read_run(config.run), read_qrels(config.qrels)
        rows = bounded(evaluate(run, qrels, config.measures), Pool.of(run, qrels))
        title = f"{config.run} against {config.qrels}"
        claim(config, folder, FILES)
    else:
        trained = Trained.load(config.model)
        with watch.stage("scoring"):
            rows = evaluate_checkpoint(config, trained, folder)
        title = f"{config.model} on {config.split}"
    result = rows[1]
    write_per_query(result, folder / "per_query.csv")
    model = None if trained is None else plain(trained.config)
    seed = None if model is None else model["seed"]
    write_json(provenance(plain(config), seed, watch, trained=model), folder / "provenance.json")
    write_json({result.name: result.means}, folder / "metrics.json")
    console = Console()
    console.print(result_table(title, rows))
    for note in result.coverage.notes():
        console.print(f"note: {note}", soft_wrap=True)
    console.print(f"files: {folder}", soft_wrap=True)
