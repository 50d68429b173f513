"""`clir topics`: topics of a collection's documents, known of its queries too, as a folder that stands alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
from omegaconf import DictConfig
from rich.console import Console

from clir_lightning.build import build, plain
from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.term_tables import read_entries
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError, at_least, one_of
from clir_lightning.lightning.callbacks.step_progress import StepProgress
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import reject_trained
from clir_lightning.outputs.folder import tell_files
from clir_lightning.outputs.provenance import Stopwatch, provenance
from clir_lightning.outputs.trained import Trained
from clir_lightning.retrieval.analysis import choose
from clir_lightning.retrieval.lexicon import names_entries
from clir_lightning.scoring.computing import computing
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.topics.encoding import ARCHITECTURE, identity, mean_pooled, vectors_of
from clir_lightning.topics.folder import SETTINGS, Theta, Topics
from clir_lightning.topics.learning import Material, SideTexts
from clir_lightning.topics.measures import match
from clir_lightning.topics.model import SIDES, TopicModel
from clir_lightning.topics.report import OF_DIVERSITY, Report, excess, strongest
from clir_lightning.topics.words import Links, Tokens

POOLED = 10_000  # texts a side whose topics are kept for the control
PRECISION = "32-true"  # of vectors: what half of it saves is not worth topics that depend on the machine

log = logging.getLogger(__name__)


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = Path(config.path).expanduser()
    _check(config, folder)
    watch = Stopwatch()

    # Texts, their vectors and words.
    with watch.stage("data"):
        collection: Collection = build(config.data)
        collection.split(config.splits.measured)
    with watch.stage("encoding"):
        encoder, origin = text_encoder(config, collection)
        key = identity(encoder)
        material = material_of(config, collection, encoder, key)

    # The model, by the seed alone.
    pl.seed_everything(config.seed, verbose=False)
    model, settings = material.model(topics=config.topics, centre=config.centre, **of_model(config))
    with watch.stage("training"):
        trained(config, material, model)

    # What it says of documents and queries.
    vocabularies = {side: material.sides[side].vocabulary for side in SIDES if side in model.decoders}
    topics = Topics(model, encoder, vocabularies, key)
    with watch.stage("measures"):
        report, pool = measured(config, collection, topics, material)

    # The folder first: what comes after it can fail without loss.
    about = {"model": settings, **report.plain(), "made": provenance(plain(config), config.seed, watch)}
    topics.write(folder, pool=pool, encoder=origin, about=about, files={"topics.html": report.page()})
    report.show(Console())
    tell_files(folder, [SETTINGS, "topics.html"])


def _check(config: DictConfig, folder: Path) -> None:
    """Complain before the work."""
    at_least(config.topics, 2, "topics")
    at_least(config.shown, 2, "shown")
    at_least(config.size, 2, "size")
    at_least(config.pairs, 2, "pairs")
    one_of(config.alignment.names or "train", ["train"], "alignment.names")
    if folder.exists() and not (folder / SETTINGS).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(f"path {folder} is there already and holds no topics; give another folder")
    if aligned(config) and not config.queries:
        raise ConfigError("queries is false, and alignment needs the topics of their words; set queries=true")


def aligned(config: DictConfig) -> bool:
    """Whether there are terms to align topics by."""
    return bool(config.alignment.terms or config.alignment.names) and config.alignment.weight > 0


def of_model(config: DictConfig) -> dict[str, Any]:
    """The settings of a `TopicModel` beside its sizes."""
    weight = config.alignment.weight if aligned(config) else 0.0
    added = {"aligned": weight, "temperature": config.alignment.temperature, "learning_rate": config.learning_rate}
    return {**plain(config.network), **added}


def text_encoder(config: DictConfig, collection: Collection) -> tuple[TextEncoder, dict[str, Any]]:
    """The encoder of the vectors, and how the folder is to describe it; see `topics.encoding.describe`."""
    if config.model is not None:
        model = Trained.load(config.model)
        architecture = plain(model.config)["architecture"]
        found = model.text_encoder(model.computing(config.device, PRECISION))
        return found, {"name": None, "config": architecture}

    # One that is made for this collection lies in memory from here on.
    source = build(config.encoder)
    reject_trained(str(config.encoder.get("name", "")))
    with TemporaryDirectory() as made:
        settings = {"prefixes": tuple(config.prefixes.values()), "cache": config.cache}
        name = source.prepare(collection, config.splits.train, Path(made) / "encoder", config.seed, **settings)
        encoder = Encoder(name, source)
    at = computing(config.device, PRECISION)
    prefixes: Any = plain(config.prefixes)
    lengths: Any = plain(config.lengths)
    found = mean_pooled(encoder, prefixes, lengths, at)

    # A published one is found again by its name, a folder by its place.
    if name != config.encoder.get("name"):
        return found, {"name": None, "config": ARCHITECTURE}
    place = str(Path(name).absolute()) if Path(name).is_dir() else name
    return found, {"name": place, "config": {**plain(config.encoder), "name": place}}


def material_of(config: DictConfig, collection: Collection, encoder: TextEncoder, key: str) -> Material:
    """All documents and the training queries, with their vectors and words, and the terms that link these."""
    train = collection.split(config.splits.train)
    records: dict[Side, Mapping[str, Any]] = {"query": train.queries, "document": collection.documents}
    analysers = analysers_of(config, collection)
    limits = build(config.words)
    sides = {}
    for side, of_side in records.items():
        vectors = vectors_of(encoder, of_side, side, key=key, cache=config.cache)
        name = "training queries" if side == "query" else "documents"
        sides[side] = SideTexts.of(of_side.values(), vectors, analysers[side], limits, name)
        log.info("%d %s, %d words", len(of_side), name, len(sides[side].vocabulary))
    if not aligned(config):
        return Material(sides, config.queries)

    # The terms in the words of both vocabularies.
    vocabularies = (sides["query"].vocabulary, sides["document"].vocabulary)
    links = Links.of(entries(config, collection), vocabularies, (analysers["query"], analysers["document"]))
    log.info("%d linked terms have words of both vocabularies", len(links.pairs))
    return Material(sides, config.queries, links)


def analysers_of(config: DictConfig, collection: Collection) -> dict[Side, Tokens]:
    """What makes words of a text of each side."""
    languages: dict[Side, str] = {"query": collection.query_language, "document": collection.document_language}
    found = {}
    for side, language in languages.items():
        analyser = choose(config.analysers[side], language, lucene=False)
        assert analyser.tokens is not None
        found[side] = analyser.tokens
    return found


def entries(config: DictConfig, collection: Collection) -> Iterator[tuple[str, str]]:
    """Terms and their translations, of the tables and of the training queries."""
    for path in config.alignment.terms:
        for term, translation, _ in read_entries(path, collection.query_language, collection.document_language):
            yield term, translation
    if config.alignment.names is not None:
        for term, translation, _ in names_entries(collection.split(config.splits.train), collection.documents):
            yield term, translation


def trained(config: DictConfig, material: Material, model: TopicModel) -> None:
    """Train the model with Lightning."""
    with TemporaryDirectory() as nowhere:
        own: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
        own |= {"devices": 1, "enable_progress_bar": False}  # the bar is this project's
        told = StepProgress("learning topics", bar=config.trainer.get("enable_progress_bar", True))
        settings: Any = {"_target_": "pytorch_lightning.Trainer", **plain(config.trainer)}
        trainer = build(settings, **own, callbacks=[told], default_root_dir=nowhere)
        material.learn(model, trainer, size=config.size, pairs=config.pairs, seed=config.seed)


def measured(
    config: DictConfig, collection: Collection, topics: Topics, material: Material
) -> tuple[Report, dict[Side, Theta]]:
    """The report, and the topics that are kept for the control."""
    judged = collection.split(config.splits.measured)
    train = collection.split(config.splits.train)
    theta: dict[Side, Theta] = {
        "document": topics.theta(collection.documents, "document", cache=config.cache),
        "query": topics.theta(train.queries, "query", cache=config.cache),
    }

    # Each side's strongest words: by its decoder, or by the topics of its texts.
    words: dict[Side, list[list[str]]] = {}
    for side, texts in material.sides.items():
        learnt = side in topics.model.decoders
        weights = topics.model.words(side).numpy() if learnt else excess(theta[side], texts.counts)
        words[side] = strongest(weights, texts.vocabulary, OF_DIVERSITY)

    # Queries beside their documents.
    asked = topics.theta(judged.queries, "query", cache=config.cache)
    documents = dict(zip(collection.documents, theta["document"], strict=True))
    found = match(dict(zip(judged.queries, asked, strict=True)), documents, judged.qrels, seed=config.seed)

    # All of it as one report.
    report = Report.of(
        f"{collection.name}: {config.topics} topics of {len(documents)} documents; match of {config.splits.measured}",
        {"query": collection.query_language, "document": collection.document_language},
        words,
        shown=config.shown,
        shares=theta["document"].mean(axis=0).astype(np.float64),
        texts=material.sides["document"].words,
        match=found,
    )
    return report, {side: sample(rows, config.seed) for side, rows in theta.items()}


def sample(rows: Theta, seed: int) -> Theta:
    """At most `POOLED` of the rows, in an order drawn by the seed."""
    return rows[np.random.default_rng(seed).permutation(len(rows))[:POOLED]]
