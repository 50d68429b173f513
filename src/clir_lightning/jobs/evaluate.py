"""`clir evaluate`: the measures of a run file, or of a model on a split."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.auto import settled
from clir_lightning.scoring.engine import Engine
from clir_lightning.types import Run

log = logging.getLogger(__name__)

FILES = ("metrics.json", "provenance.json", "per_query.csv", "runs/test.trec", "runs/test.qrels")


def bounded(result: Evaluation, pool: Pool) -> list[Evaluation]:
    """The table's rows: the result between random order and the ideal order of the same documents."""
    return [random_order(pool, list(result.means)), result, ideal(pool, list(result.means))]


def candidates_of(trained: DictConfig, config: DictConfig, collection: Collection) -> CandidateSet:
    """What is scored: the training's candidate settings, changed by those given now.

    Its run file and its limit on test queries are of its test split: another split has its judged lists scored, and
    all of them.
    """
    for name in ("depth", "queries"):
        if config[name] is not None:
            at_least(config[name], 1, name)
    lists: CandidateLists = build(trained.candidates)
    own = config.split == trained.splits.test
    lists = replace(
        lists,
        depth=lists.depth if config.depth is None else config.depth,
        test=lists.test if own and config.candidates is None else config.candidates,
        test_queries=lists.test_queries if own and config.queries is None else config.queries,
    )
    batches = replace(build(trained.batches), score_size=None, score_tokens=config.score_tokens)
    return CandidateSet(collection, config.split, lists.run(collection, config.split, "test"), batches)


@dataclass(frozen=True)
class Judged:
    """What there is to report.

    Args:
        title: of the table.
        rows: of the table: the result between random order and the ideal order.
        trained: the settings of the training, where a model was scored.
    """

    title: str
    rows: list[Evaluation]
    trained: dict[str, Any] | None = None

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


def of_model(config: DictConfig, folder: Path) -> Judged:
    """The measures of a model that scores the candidates of `config.split`; its run goes to `folder/runs/test.trec`."""
    trained = Trained.load(config.model)
    settings = trained.config
    at = trained.computing(config.device, config.precision)

    # The candidates, tokenised as the model reads them.
    candidates = candidates_of(settings, config, trained.collection(config.data))
    candidates.tokenise(trained.encoder.tokenizer, cache=settings.cache)
    tokens = settled(trained.model, at, [candidates], cache=settings.cache)
    log.info("scoring on %s in %s, %s", at.device, at.precision, tokens)
    lists = candidates.run
    qrels = candidates.qrels

    # Nothing is rejected any more. Queries come as they are scored, and are put in the order of the lists.
    claim(config, folder, FILES)
    scores = Engine(trained.model, at).score(candidates.loader(), name=settings.name)
    run = Run({query: scores[query] for query in lists if query in scores}, name=scores.name)
    write_run(run, folder / "runs" / "test.trec")
    write_qrels(qrels, folder / "runs" / "test.qrels")

    rows = bounded(evaluate(run, qrels, config.measures), Pool.of(lists, qrels))
    return Judged(f"{config.model} on {config.split}", rows, plain(settings))


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
    console.print(f"files: {folder}", soft_wrap=True)


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in config.measures:
        measure(name)
    if (config.model is None) == (config.run is None):
        raise ConfigError("give either model=… (with split=…) or run=… (with qrels=…)")
    watch = Stopwatch()
    with watch.stage("scoring"):
        judged = of_run(config, folder) if config.model is None else of_model(config, folder)
    report(config, folder, judged, watch)
