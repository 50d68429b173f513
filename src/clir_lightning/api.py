"""The functions of `import clir_lightning`: what the verbs do, for scripts and notebooks.

Settings have the names and the defaults of the command line: both read the same files in `conf/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import build, changed
from clir_lightning.configuration import config_folder
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError, at_least, one_of
from clir_lightning.evaluation import comparison, tables
from clir_lightning.evaluation.comparison import Comparison, Member, System
from clir_lightning.evaluation.evaluate import MEASURES
from clir_lightning.outputs.ranker import Ranker
from clir_lightning.outputs.trained import loaded
from clir_lightning.types import Grades, Run


def load_collection(name: str = "demo", **settings: Any) -> Collection:
    """The collection that `data=NAME data.SETTING=VALUE …` names on the command line.

    Args:
        name: a source, one of the files of `conf/data`: `demo`, `clirmatrix`, `folder`, `ir_datasets`, `several`,
            `translations` or `labelled`.
        settings: of that source, as its file lists them: `path`, `query_language`, ….

    Raises `ConfigError` for an unknown source or setting and for one without a value, `DataError` for defective files.

    >>> load_collection("demo").split("train").queries["language:ja"].text
    '日语'
    """
    config = _composed(data=name)
    config.data = changed(config.data, OmegaConf.create(settings), "data")
    collection: Collection = build(config.data)
    return collection


def retrieve(
    collection: Collection,
    split: str = "test1",
    *,
    retriever: str = "bm25",
    translation: str | None = None,
    depth: int = 100,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Run:
    """Up to `depth` documents for each query of a split, as `clir retrieve` finds them.

    Args:
        collection: where to look.
        split: whose queries.
        retriever: `bm25` (Lucene), `bm25s`, or `dense`, with a model of yours.
        translation: what brings queries and documents into one language, `none`, `lexicon`, `mt` or `given`; `None` for
            what suits the retriever: `none` for vectors, `lexicon` for terms.
        depth: documents per query.
        settings: of both, `{"retriever": {"k1": 1.2}, "translation": {"paths": ["terms.tsv"]}}`, or
            `{"retriever": {"model": "outputs/…"}}` of a dense one.

    Raises `ConfigError` for a name or a setting that is not there.

    >>> run = retrieve(load_collection("demo"), retriever="bm25s", depth=3)
    >>> len(run), max(map(len, run.values()))
    (200, 3)
    """
    at_least(depth, 1, "depth")
    collection.split(split)
    chosen = {"retriever": retriever} if translation is None else {"retriever": retriever, "translation": translation}
    config = _composed(**chosen)
    for part, given in (settings or {}).items():
        one_of(part, ("retriever", "translation"), "a part of settings")
        config[part] = changed(config[part], OmegaConf.create(dict(given)), part)

    # A dense retriever searches with a trained model; the others need none.
    first = loaded(build(config.retriever))
    bridge = build(config.translation)
    queries = bridge.queries(collection, split)
    found: Run = first(bridge.documents(collection, split), queries, depth=depth)
    return found


def load_model(path: str | Path, *, device: str = "auto", precision: str | None = None) -> Ranker:
    """A trained model: `.rank(query, documents)` and `.score(…)` order documents, `.encode(texts, side)` gives vectors.

    It is read once; all calls use the model in memory.

    Args:
        path: an output folder of `clir train`, its `model/`, or a checkpoint, wherever it lies.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `32-true`, `bf16-mixed` or `16-mixed`; `None` for that of its training.

    Raises `ConfigError` for a path that holds no model, and for a device that is not there.

        model = clir.load_model("outputs/2026-01-31/12-00-00")
        model.rank("日语", {"ja": "Жапон тілі", "fr": "Француз тілі"})   # [("ja", 2.13), ("fr", -0.41)]
    """
    return Ranker(path, device=device, precision=precision)


def compare(
    systems: Mapping[str, Run | Sequence[Run]],
    qrels: Mapping[str, Grades],
    *,
    baseline: str | None = None,
    measures: Sequence[str] = MEASURES,
    queries: str = "same",
    samples: int = 100_000,
    seed: int = 1,
) -> Comparison:
    """Systems side by side, with paired tests against a baseline, as `clir compare` prints them.

    Args:
        systems: by name a run, or the runs of several seeds, whose mean and deviation are the system's.
        qrels: the judgements of all of them; a run without one of their queries has 0 for it.
        baseline: the system that the others are tested against; `None` for the first.
        measures: names such as `ndcg_10`.
        queries, samples, seed: see `evaluation.comparison.compare`.

    Raises `ConfigError` where there is nothing to compare, and for an unknown baseline or measure.

    >>> qrels = {"q": {"a": 1, "b": 0}, "r": {"c": 1, "d": 0}}
    >>> right = Run({"q": {"a": 2.0, "b": 1.0}, "r": {"c": 2.0, "d": 1.0}})
    >>> half = Run({"q": {"a": 2.0, "b": 1.0}, "r": {"c": 1.0, "d": 2.0}})
    >>> made = compare({"half": half, "right": right}, qrels, measures=["mrr_10"])
    >>> [(row.name, row.means["mrr_10"]) for row in made.rows], made.tests[0].difference
    ([('half', 0.75), ('right', 1.0)], 0.25)
    """
    members = {name: [runs] if isinstance(runs, Run) else list(runs) for name, runs in systems.items()}
    if not members:
        raise ConfigError("there is no system to compare; give {name: run}")
    for name, runs in members.items():
        if not runs:
            raise ConfigError(f"system {name!r} has no run; give one, or one per seed, or leave it out")
    made = [
        System(name, tuple(Member(run, qrels, seed=number) for number, run in enumerate(runs, start=1)))
        for name, runs in members.items()
    ]
    return comparison.compare(made, baseline=baseline, measures=measures, queries=queries, samples=samples, seed=seed)


def table(comparison: Comparison, style: str = "markdown", *, alpha: float = 0.05) -> str:
    """A comparison as text: `markdown`, `latex` or `csv`, with stars for differences below `alpha` after Holm.

    Raises `ConfigError` for another style.

    >>> qrels = {"q": {"a": 1, "b": 0}}
    >>> print(table(compare({"best": Run({"q": {"a": 2.0, "b": 1.0}})}, qrels, measures=["mrr_10"]), "markdown"))
    | system | seeds | MRR@10 |
    |---|---:|---:|
    | random order |  | 50.0 |
    | best | 1 | 100.0 |
    | ideal |  | 100.0 |
    ...
    """
    one_of(style, ("markdown", "latex", "csv"), "style")
    if style == "csv":
        return tables.csv_text(comparison)
    write = tables.markdown if style == "markdown" else tables.latex
    return write(comparison, alpha)


def _composed(**groups: str) -> DictConfig:
    """The configuration of `clir retrieve` with these options; `ConfigError` names those there are."""
    for group, option in groups.items():
        one_of(option, sorted(file.stem for file in (config_folder() / group).glob("*.yaml")), group)
    with initialize_config_dir(str(config_folder().resolve()), version_base="1.3"):
        return compose("retrieve", [f"{group}={option}" for group, option in groups.items()])
