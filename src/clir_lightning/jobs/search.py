"""`clir search`: the documents for queries from a file, a split, the command line or the prompt."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import tab_texts
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.store.packed import PackedLists
from clir_lightning.errors import ConfigError, DataError, at_least
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.tables import result_table
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.ranker import Ranker
from clir_lightning.outputs.trained import Trained
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.retrieval.first_stage import FirstStage
from clir_lightning.retrieval.fusion import fuse
from clir_lightning.retrieval.vectors import UnfinishedError
from clir_lightning.types import Query, Run

log = logging.getLogger(__name__)

FILES = ("metrics.json", "runs/search.trec", "provenance.json")
Answer = Callable[[Mapping[str, Query]], Run]


def read_topics(path: str | Path, language: str) -> dict[str, Query]:
    """Queries of an `id<TAB>text` file."""
    texts = tab_texts(path)
    if not texts:
        raise DataError("no lines", path=path, cure="a line is id<TAB>text")
    return {query: Query(query, text, language) for query, text in texts.items()}


@dataclass(frozen=True)
class Reranker:
    """A second model, of any architecture, over the first `depth` documents; the others stay behind them."""

    ranker: Ranker
    depth: int

    def __call__(self, collection: Collection, queries: Mapping[str, Query], run: Run) -> Run:
        """The run with new scores."""
        lists = {
            query: {document: run[query][document] for document in run.ranking(query)[: self.depth]} for query in run
        }
        cache = self.ranker.trained.config.cache
        scores = self.ranker.score(collection.documents, queries, Run(lists, f"{run.name}, reranked"), cache=cache)
        return Run(PackedLists.of((query, above(scores[query], run, query)) for query in run), name=scores.name)


def above(scores: Mapping[str, float], run: Run, query: str) -> dict[str, float]:
    """The documents with new scores as they are, and below them, in the run's order, those without.

    >>> above({"b": 0.5}, Run({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}), "q")
    {'b': 0.5, 'a': -0.5, 'c': -1.5}
    """
    rest = [document for document in run.ranking(query) if document not in scores]
    lowest = min(scores.values(), default=0.0)
    return dict(scores) | {document: lowest - place for place, document in enumerate(rest, start=1)}


def answerer(config: DictConfig, collection: Collection, trained: Trained) -> Answer:
    """From queries to a run, by all that the settings name."""
    # The second model first: what is wrong with it is told before the documents are encoded.
    reranker = None
    if config.rerank is not None:
        tokens = config.score_tokens
        second = Ranker(config.rerank, device=config.device, precision=config.precision, tokens=tokens)
        reranker = Reranker(second, config.rerank_depth)

    dense = DenseRetriever(
        str(config.model),
        config.index,
        plain(config.index_settings),
        config.shard,
        config.cache,
        encoder=trained.text_encoder(trained.computing(config.device, config.precision)),
    ).open(collection.documents)

    other = None
    if config.get("retriever"):
        other = FirstStage(build(config.retriever), build(config.translation))

    def answer(queries: Mapping[str, Query]) -> Run:
        run = dense(queries, depth=config.depth)
        if other is not None:
            run = fuse([run, other(collection, queries, depth=config.depth)], method=config.fusion, depth=config.depth)
        return run if reranker is None else reranker(collection, queries, run)

    return answer


def show(console: Console, collection: Collection, run: Run, query: Query, count: int) -> None:
    """Print the first documents of a query with their texts."""
    console.print(query.text, style="bold", highlight=False)
    for rank, document in enumerate(run.ranking(query.id)[:count], start=1):
        text = " ".join(collection.documents[document].text.split())
        score = f"{run[query.id][document]:.4f}"
        console.print(f"{rank:>3}  {score}  {document}  {text[:200]}", highlight=False, markup=False, soft_wrap=True)


def typed(language: str) -> Iterator[Query]:
    """The queries that are typed, or piped in, one per line, until the end of the input."""
    if sys.stdin.isatty():
        print("one query per line; an empty line ends", flush=True)
    for number, line in enumerate(sys.stdin, start=1):
        if not (text := line.strip()):
            return
        yield Query(str(number), text, language)


def _check(config: DictConfig) -> None:
    """Complain before the work."""
    for name in ("depth", "rerank_depth", "show"):
        at_least(config[name], 1, name)
    for name in config.measures:
        measure(name)
    if sum(config[name] is not None for name in ("topics", "split", "query")) > 1:
        raise ConfigError("give one of topics=FILE, split=NAME and query=TEXT, or none to be asked")


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    _check(config)
    watch = Stopwatch()
    console = Console()

    # What is searched, and for what.
    with watch.stage("data"):
        trained = Trained.load(config.model)
        collection = trained.collection(config.data)
        language = config.query_language or collection.query_language
        split = None if config.split is None else collection.split(config.split)
        queries = read_topics(config.topics, language) if config.topics is not None else {}
    with watch.stage("documents"):
        try:
            answer = answerer(config, collection, trained)
        except UnfinishedError as waiting:
            console.print(str(waiting), soft_wrap=True)
            return

    # One query, or those typed at the prompt: shown, and nothing is written.
    if config.topics is None and split is None:
        given = [Query("query", config.query, language)] if config.query is not None else typed(language)
        for query in given:
            show(console, collection, answer({query.id: query}), query, config.show)
        return

    # Queries of a file or a split: a run file.
    with watch.stage("search"):
        run = answer(queries if split is None else split.queries)
    claim(config, folder, FILES)
    write_run(run, folder / "runs" / "search.trec")
    write_json(provenance(plain(config), trained.config.seed, watch), folder / "provenance.json")

    # A split has judgements.
    if split is not None:
        result = evaluate(run, split.qrels, config.measures)
        write_json({config.split: result.means}, folder / "metrics.json")
        console.print(result_table(f"{collection.name}, {config.split}", [result]))
    console.print(f"{len(run)} queries answered", highlight=False)
    tell_files(folder, FILES)
