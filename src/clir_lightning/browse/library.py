"""`Library`: all that the page reads, opened once: collection, run files, models, first stage and graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache as once
from pathlib import Path
from threading import RLock
from typing import Any

from omegaconf import OmegaConf

from clir_lightning.build import build, plain
from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.demo import demo_graph
from clir_lightning.knowledge.graph import Graph
from clir_lightning.outputs.ranker import Ranker
from clir_lightning.outputs.systems import systems_of
from clir_lightning.outputs.trained import loaded
from clir_lightning.retrieval.first_stage import FirstStage
from clir_lightning.types import Run

DEMO = "clir_lightning.data.build_demo"
WALKS = "PageRank (graph)"
WALKED = 200_000  # entities of the largest graph whose walks one waits for
SPLITS = ("test1", "test", "dev")
TOKENS = 4096  # of a scoring batch: for one query nothing is worth a measurement


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `clir browse` was told, as plain values: the page's script gets them as a text.

    Args:
        data, retriever, translation: nodes with a `_target_`.
        split: whose queries can be picked; `None` for the first of `SPLITS` that there is, or the collection's last.
        runs: run files and output folders, as `clir compare` takes them.
        models: paths of trained models.
        graph: a graph's folder; `None` for the demo's own where `data` is the demo.
        depth: documents that the first stage finds for a query, and the models rank.
        computing: `device` and `precision` of the models, and `cache`.
    """

    data: dict[str, Any]
    retriever: dict[str, Any]
    translation: dict[str, Any]
    split: str | None = None
    runs: Any = ()
    models: Sequence[str] = ()
    graph: str | None = None
    depth: int = 100
    computing: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The settings as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, eq=False)
class Library:
    """What was opened; systems by name, no name twice.

    Args:
        settings: what it was opened by.
        collection: documents and all splits.
        split: whose queries can be picked.
        runs: of run files and output folders.
        models: trained models.
        first: finds the documents for queries, the models' candidates among them.
        graph: of entities, if there is one.
        notes: what a reader should know, one line each.
    """

    settings: Settings
    collection: Collection
    split: Split
    runs: Mapping[str, Run]
    models: Mapping[str, Ranker]
    first: FirstStage
    graph: Graph | None
    notes: tuple[str, ...] = ()
    lock: RLock = field(default_factory=RLock, init=False, repr=False)  # models answer one query at a time

    @classmethod
    def open(cls, settings: Settings) -> Library:
        """Read everything but the first stage's index. Raises `ClirError` for what cannot be opened."""
        collection: Collection = build(OmegaConf.create(settings.data))
        name = settings.split or next((name for name in SPLITS if name in collection.splits), [*collection.splits][-1])
        settings = replace(settings, split=name)
        split = collection.split(name)
        retriever = loaded(build(OmegaConf.create(settings.retriever)))
        first = FirstStage(retriever, build(OmegaConf.create(settings.translation)))

        # What is shown of it: no name stands for two systems.
        runs, of_runs = _runs(settings, collection, split, taken=[first.name, WALKS])
        models, of_models = _models(settings, taken=[first.name, WALKS, *runs])

        graph, of_graph = _graph(settings)
        return cls(settings, collection, split, runs, models, first, graph, (*of_runs, *of_models, *of_graph))

    @property
    def split_name(self) -> str:
        """The split's."""
        return str(self.settings.split)

    @property
    def walks(self) -> list[str]:
        """The graph as a system that needs no training, where it is small enough for it."""
        return [WALKS] if self.graph is not None and len(self.graph) <= WALKED else []

    @property
    def systems(self) -> list[str]:
        """The names of all systems, the first stage's first."""
        return [self.first.name, *self.runs, *self.models, *self.walks]

    def shown(self) -> list[str]:
        """The systems that a page opens with: those that were given, and where there are no runs the first stage."""
        given = [*self.runs, *self.models]
        return [*([] if self.runs else [self.first.name]), *(given or self.walks)]


@once
def opened(text: str) -> Library:
    """The library of `Settings.text`, opened once: the job that starts the page looks at it first."""
    return Library.open(Settings(**json.loads(text)))


def foreign(name: str, run: Run, collection: Collection, split: Split) -> list[str]:
    """What of a run is not of the split or the collection, one line each.

    >>> from clir_lightning.data.sources.demo import build_demo
    >>> demo = build_demo()
    >>> run = Run({"q": {"currency:KZT": 1.0, "x": 0.5}})
    >>> foreign("mine", run, demo, demo.split("test1"))
    ['mine: 1 of 2 listed documents are not in demo; the first is x', 'mine lists none of the 200 queries of the split']
    """
    notes = []
    listed = {document for scores in run.values() for document in scores}
    unknown = sorted(document for document in listed if document not in collection.documents)
    if unknown:
        told = f"{len(unknown)} of {len(listed)} listed documents are not in {collection.name}"
        notes.append(f"{name}: {told}; the first is {unknown[0]}")
    if not any(query in split.queries for query in run):
        notes.append(f"{name} lists none of the {len(split.queries)} queries of the split")
    return notes


def distinct(name: str, path: str, taken: Sequence[str]) -> str:
    """A system's name, with its path or a number where it is taken.

    >>> distinct("cross", "outputs/a", ["bm25"]), distinct("cross", "outputs/a", ["cross"])
    ('cross', 'cross (outputs/a)')
    >>> distinct("cross", "outputs/a", ["cross", "cross (outputs/a)"])
    'cross (outputs/a) 2'
    """
    if name not in taken:
        return name
    whole = f"{name} ({path})"
    numbers = (f"{whole} {number}" for number in range(2, len(taken) + 3))
    return next(each for each in (whole, *numbers) if each not in taken)


def _runs(
    settings: Settings, collection: Collection, split: Split, taken: Sequence[str]
) -> tuple[dict[str, Run], list[str]]:
    """The runs by name, the candidate lists that the collection brings along first, and what to note about them."""
    runs = {} if split.run is None else {distinct(split.run.name, "collection", taken): split.run}
    notes: list[str] = []
    for system in systems_of(settings.runs, split.qrels) if settings.runs else []:
        name = distinct(system.name, "run", [*taken, *runs])
        runs[name] = system.members[0].run
        notes += foreign(name, runs[name], collection, split)
        if len(system.members) > 1:
            notes.append(f"{name} has {len(system.members)} seeds: the first one's list is shown")
    return runs, notes


def _models(settings: Settings, taken: Sequence[str]) -> tuple[dict[str, Ranker], list[str]]:
    """The models by name, and what there is to note about them."""
    models: dict[str, Ranker] = {}
    notes = []
    computing = {name: settings.computing[name] for name in ("device", "precision") if name in settings.computing}
    for path in settings.models:
        ranker = Ranker(path, tokens=TOKENS, **computing)
        own = str(ranker.trained.config.get("name") or Path(path).name)
        name = distinct(own, path, [*taken, *models])
        models[name] = ranker

        # Another collection's model ranks here as well, but one should know.
        learnt = plain(ranker.trained.config.data)
        if learnt.get("_target_") != settings.data.get("_target_"):
            source = str(learnt.get("_target_")).rpartition(".")[2]
            notes.append(f"{name} was trained on another collection ({source})")
    return models, notes


def _graph(settings: Settings) -> tuple[Graph | None, list[str]]:
    """The graph, if any. The demo's own is left out, with a note, where its extra is not installed."""
    if settings.graph is not None:
        graph = Graph.open(settings.graph)
    elif settings.data.get("_target_") != DEMO:
        return None, []
    else:
        try:
            graph = demo_graph(cache=settings.computing.get("cache"))
        except ConfigError as error:
            return None, [f"entities are not shown: {error}"]

    # A graph for judging lacks what gives the answers away, which one would look for in it.
    without = (graph.manifest.get("condition") or {}).get("judged") == "removed"
    told = "the graph has no statements between a query's entity and those of its relevant documents, as in training"
    return graph, [told] * without
