"""`clir evaluate`: the measures of a run file, or of a model on a split."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.candidate_set import CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_qrels, read_run, write_qrels, write_run
from clir_lightning.errors import ConfigError, at_least
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import Evaluation, evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.per_query import write_per_query
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.tables import result_table
from clir_lightning.jobs.launch.processes import processes
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.kept import kept_scores
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import Trained
from clir_lightning.rank import started_outside
from clir_lightning.scoring.auto import settled
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.kept import KeptScores
from clir_lightning.scoring.processes import once, world

# Settings that the model, the texts and the batches tell themselves, or that decide no score.
TOLD = (
    *(
        "model",
        "split",
        "depth",
        "queries",
        "candidates",
        "data",
        "knowledge",
        "run",
        "qrels",
        "measures",
        "score_tokens",
    ),
    *("device", "devices", "precision", "keep_seconds"),
)

log = logging.getLogger(__name__)

FILES = ("metrics.json", "per_query.csv", "runs/test.trec", "runs/test.qrels", "provenance.json")


def bounded(result: Evaluation, pool: Pool) -> list[Evaluation]:
    """The table's rows: the result between random order and the ideal order of the same documents."""
    return [random_order(pool, list(result.means)), result, ideal(pool, list(result.means))]


def candidates_of(trained: Trained, config: DictConfig, collection: Collection) -> CandidateSet:
    """What is scored: the training's candidate settings, changed by those given now.

    Its run file and its limit on test queries are of its test split: another split has its judged lists scored, and
    all of them.
    """
    for name in ("depth", "queries"):
        if config[name] is not None:
            at_least(config[name], 1, name)
    lists: CandidateLists = build(trained.config.candidates)
    own = config.split == trained.config.splits.test
    lists = replace(
        lists,
        depth=lists.depth if config.depth is None else config.depth,
        test=lists.test if own and config.candidates is None else config.candidates,
        test_queries=lists.test_queries if own and config.queries is None else config.queries,
    )
    batches = replace(trained.batches(config.knowledge), score_size=None, score_tokens=config.score_tokens)
    return CandidateSet(collection, config.split, lists.run(collection, config.split, "test"), batches)


@dataclass(frozen=True)
class Judged:
    """What there is to report.

    Args:
        title: of the table.
        rows: of the table: the result between random order and the ideal order.
        trained: the settings of the training, where a model was scored.
        kept: its scores as they were kept while it scored.
    """

    title: str
    rows: list[Evaluation]
    trained: dict[str, Any] | None = None
    kept: KeptScores | None = None

    @property
    def result(self) -> Evaluation:
        """The row that was asked for."""
        return self.rows[1]


def of_run(config: DictConfig, folder: Path) -> Judged:
    """The measures of a run file."""
    if config.qrels is None:
        raise ConfigError("run=… needs its judgements: add qrels=FILE")
    run = read_run(config.run)
    qrels = read_qrels(config.qrels)
    rows = bounded(evaluate(run, qrels, config.measures), Pool.of(run, qrels))
    claim(config, folder, FILES)
    return Judged(f"{config.run} against {config.qrels}", rows)


def of_model(config: DictConfig, folder: Path) -> Judged | None:
    """The measures of a model that scores the candidates of `config.split`; its run goes to `folder/runs/test.trec`.

    Of several processes the first gives them, the others nothing.
    """
    trained = Trained.load(config.model)
    settings = trained.config
    at = trained.computing(own_device(config.device), config.precision)
    engine = Engine(trained.model, at)

    # The candidates, tokenised as the model reads them, of which each process scores its share.
    candidates = candidates_of(trained, config, trained.collection(config.data))
    candidates.tokenise(trained.encoder.tokenizer, cache=settings.cache)
    tokens = settled(trained.model, at, [candidates], cache=settings.cache)
    log.info("scoring on %s in %s, %s", at.device, at.precision, tokens)
    rank, size = world()
    batches = candidates.loader(rank=rank, world_size=size)
    kept = kept_scores(
        trained, at, candidates, batches, cache=settings.cache, seconds=config.keep_seconds, settings=deciding(config)
    )

    # Nothing is rejected any more.
    once(lambda: claim(config, folder, FILES))
    run = engine.score(batches, name=settings.name, kept=kept)
    if rank:
        return None
    write_run(run, folder / "runs" / "test.trec")
    write_qrels(candidates.qrels, folder / "runs" / "test.qrels")

    # The result between the two bounds, all of the same documents.
    pool = Pool.of(candidates.run, candidates.qrels)
    rows = bounded(evaluate(run, candidates.qrels, config.measures), pool)
    return Judged(f"{config.model} on {config.split}", rows, plain(settings), kept)


def deciding(config: DictConfig) -> dict[str, Any]:
    """The settings that may decide scores in a way that model, texts and batches do not tell."""
    return {name: value for name, value in plain(config).items() if name not in TOLD}


def own_device(setting: str) -> str:
    """The device of this process: of several that run on GPUs each has the one that it was connected with."""
    if world()[1] == 1 or setting == "cpu" or not torch.cuda.is_available():
        return setting
    return f"cuda:{torch.cuda.current_device()}"


def placed(config: DictConfig) -> dict[str, Any]:
    """The processes and their devices as a trainer's settings. Raises `ConfigError` where one GPU is for several."""
    if started_outside() and config.devices == 1:
        return {"devices": "auto", "accelerator": "cpu" if config.device == "cpu" else "auto"}
    if config.devices != 1 and config.device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device={config.device} names one GPU, devices={config.devices} several; leave one out")
    return {"devices": config.devices, "accelerator": "cpu" if config.device == "cpu" else "auto"}


def report(config: DictConfig, folder: Path, judged: Judged, watch: Stopwatch) -> None:
    """Write the result's files, then print its table and notes."""
    result = judged.result
    write_per_query(result, folder / "per_query.csv")
    seed = None if judged.trained is None else judged.trained["seed"]
    write_json(provenance(plain(config), seed, watch, trained=judged.trained), folder / "provenance.json")
    write_json({result.name: result.means}, folder / "metrics.json")

    console = Console()
    console.print(result_table(judged.title, judged.rows))
    for note in result.coverage.notes():
        console.print(f"note: {note}", soft_wrap=True)
    tell_files(folder, FILES)


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in config.measures:
        measure(name)
    if (config.model is None) == (config.run is None):
        raise ConfigError("give either model=… (with split=…) or run=… (with qrels=…)")
    if config.keep_seconds is not None:
        at_least(config.keep_seconds, 0, "keep_seconds")
    if config.model is None:
        _judge(config, folder, of_run)
        return
    with processes("evaluate", config, trainer=placed(config)):
        _judge(config, folder, of_model)


def _judge(config: DictConfig, folder: Path, judge: Callable[[DictConfig, Path], Judged | None]) -> None:
    """The job in one of its processes."""
    watch = Stopwatch()
    with watch.stage("scoring"):
        judged = judge(config, folder)
    if judged is None:
        return

    # The scores that a killed job would go on from have done their work.
    report(config, folder, judged, watch)
    if judged.kept is not None:
        judged.kept.remove()
