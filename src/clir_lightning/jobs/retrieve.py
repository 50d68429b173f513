"""`clir retrieve`: from a collection to candidate lists, one TREC run file per split."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.candidates import add_missing_relevant, fill_random
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import write_run
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.evaluation.evaluate import Evaluation, evaluate
from clir_lightning.evaluation.measures import measure
from clir_lightning.evaluation.tables import result_table
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import loaded
from clir_lightning.retrieval.expansion import RM3
from clir_lightning.retrieval.retriever import Retriever
from clir_lightning.retrieval.translation import Translation
from clir_lightning.types import Query, Run

FILES = ("metrics.json", "provenance.json", "runs/*.trec")

log = logging.getLogger(__name__)


def _check(config: DictConfig) -> None:
    """Complain before the work."""
    for name in config.measures:
        measure(name)
    one_of(config.maximise, config.measures, "maximise")
    one_of(config.fill, ("none", "random"), "fill")
    if config.depth < 1 or not config.splits:
        raise ConfigError("depth must be a number from 1, and splits must name at least one")
    if config.add_missing_relevant_to_train and "train" not in config.splits:
        raise ConfigError("add_missing_relevant_to_train works on the split train alone; add it to splits")


def lists_for(config: DictConfig, collection: Collection, split: str, run: Run) -> Run:
    """The candidate lists of a split: what a retriever found, filled up as the settings say."""
    qrels = collection.split(split).qrels
    if config.fill == "random":
        run = fill_random(run, collection.documents, qrels, depth=config.depth, seed=config.seed)
    if config.add_missing_relevant_to_train and split == "train":
        log.warning("train: RELEVANT DOCUMENTS ARE ADDED to the run file; use it for training, never measure it")
        run = add_missing_relevant(run, qrels, depth=config.depth)
    return run


def main(config: DictConfig) -> float:
    """Run the job; returns the dev split's measure to maximise, or the last split's."""
    folder = output_folder(config)
    _check(config)
    watch = Stopwatch()

    # What is retrieved with, and from what.
    first: Any = loaded(build(config.retriever))
    retriever: Retriever = first if config.rm3 is None else RM3(first, **config.rm3)
    translation: Translation = build(config.translation)
    with watch.stage("data"):
        collection: Collection = build(config.data)
        for split in config.splits:
            collection.split(split)

    # Every split's queries first: what is wrong with a translation is told before the first search.
    queries: dict[str, Mapping[str, Query]] = {}
    for split in config.splits:
        with watch.stage(f"{split}: queries"):
            queries[split] = translation.queries(collection, split)

    # One run file per split; a folder used again must not show another run's results.
    rows: dict[str, Evaluation] = {}
    for split in config.splits:
        with watch.stage(f"{split}: documents"):
            documents = translation.documents(collection, split)
        with watch.stage(f"{split}: retrieval"):
            run = retriever(documents, queries[split], depth=config.depth)
        if empty := sum(not hits for hits in run.values()):
            log.warning("%s: %d of %d queries found nothing", split, empty, len(run))

        # What was found is measured; what a training reads may be filled up.
        rows[split] = evaluate(Run(run.by_query, split), collection.split(split).qrels, config.measures)
        if len(rows) == 1:  # what could be rejected has been
            claim(config, folder, FILES)
        write_run(lists_for(config, collection, split, run), folder / "runs" / f"{split}.trec")

    # The results, as files and as a table.
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    write_json({split: row.means for split, row in rows.items()}, folder / "metrics.json")
    Console().print(result_table(f"{collection.name}: {retriever.name}, as found", list(rows.values())))
    tell_files(folder, ["metrics.json", *(f"runs/{split}.trec" for split in rows), "provenance.json"])
    return rows["dev" if "dev" in rows else config.splits[-1]].means[config.maximise]
