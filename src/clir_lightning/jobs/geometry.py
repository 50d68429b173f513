"""`clir geometry`: how a dual model's vectors lie, as they are, centred and whitened, beside how well they rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor
from torch.nn.functional import normalize

from clir_lightning.build import plain
from clir_lightning.data.candidates import candidates
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import write_whole
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import DataError
from clir_lightning.evaluation import tables
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.geometry import centred, geometry, meaning, told_apart, whitening
from clir_lightning.evaluation.measures import label, measure
from clir_lightning.evaluation.report.geometry_page import Space, geometry_page
from clir_lightning.jobs.compare import whole
from clir_lightning.lightning.callbacks.centring import training_texts
from clir_lightning.outputs.folder import claim, output_folder
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Qrels, Run

FILES = ("geometry.json", "geometry.html", "provenance.json")


@dataclass(frozen=True)
class Encoded:
    """Unit vectors `[N, P]` of a split's queries and their candidates, and of training texts, with the lists of ids."""

    queries: Tensor
    documents: Tensor
    lists: Run
    ids: list[str]
    training: dict[Side, Tensor]


def encoded(encoder: TextEncoder, collection: Collection, config: DictConfig, train: str) -> Encoded:
    """Encode the sample that the settings describe; nothing is subtracted from the vectors."""
    for side in ("query", "document"):
        encoder.model.mean(side).zero_()  # a model trained with `centring` has its own
    lists = candidates(collection, config.split, depth=config.depth, seed=config.seed, limit=config.queries)
    lists = Run({query: lists[query] for query in lists if lists[query]})
    ids = sorted({document for query in lists for document in lists[query]})
    of_train = training_texts(collection.split(train), config.texts, config.seed)

    def vectors(records: Mapping[str, Any], side: Side, names: list[str]) -> Tensor:
        kept = {name: records[name] for name in names}
        found = encoder.reader(kept, side, names)(np.arange(len(names)))
        return normalize(torch.from_numpy(found), dim=-1)

    texts: dict[Side, Mapping[str, Any]] = {"query": collection.split(train).queries, "document": collection.documents}
    return Encoded(
        vectors(collection.split(config.split).queries, "query", list(lists)),
        vectors(collection.documents, "document", ids),
        lists,
        ids,
        {side: vectors(records, side, of_train[side]) for side, records in texts.items()},
    )


def views(found: Encoded) -> dict[str, tuple[Tensor, Tensor]]:
    """Queries and documents as they are, without each side's training mean, and whitened by the training texts."""
    queries, documents, training = found.queries, found.documents, found.training
    of_queries, of_documents = training["query"].mean(dim=0), training["document"].mean(dim=0)
    white = whitening(torch.cat([training["query"] - of_queries, training["document"] - of_documents]))
    return {
        "as it is": (queries, documents),
        "centred": (centred(queries, of_queries), centred(documents, of_documents)),
        "whitened": (normalize((queries - of_queries) @ white), normalize((documents - of_documents) @ white)),
    }


def spaces_of(found: Encoded, qrels: Qrels, measures: Sequence[str]) -> list[Space]:
    """Geometry and measures of each of the views."""
    query_rows = {query: row for row, query in enumerate(found.lists)}
    document_rows = {document: row for row, document in enumerate(found.ids)}
    lists = {query: list(found.lists[query]) for query in found.lists}
    positives, negatives = told_apart(lists, qrels, query_rows, document_rows)
    if not len(positives):
        raise DataError("no query of the split has candidates of different grades", cure="raise depth")
    spaces = []
    for name, (queries, documents) in views(found).items():
        cosines = queries @ documents.T
        scores = {
            query: {document: float(cosines[query_rows[query], document_rows[document]]) for document in listed}
            for query, listed in lists.items()
        }
        means = evaluate(Run(scores, name=name), {query: qrels[query] for query in lists}, measures).means
        above, below = (cosines[pairs[:, 0], pairs[:, 1]].numpy() for pairs in (positives, negatives))
        spectrum = torch.linalg.svdvals(torch.cat([queries, documents]).double()).square()
        shares = (spectrum / spectrum.sum()).tolist()
        spaces.append(Space(name, geometry(queries, documents, positives, negatives), means, above, below, shares))
    return spaces


def said(spaces: Sequence[Space], name: str, width: int) -> list[str]:
    """What the numbers mean, and what centring and whitening change in the measure `name`."""
    before, *changed = (100 * space.measures[name] for space in spaces)
    after = " and ".join(f"{value:.1f} {space.name}" for value, space in zip(changed, spaces[1:], strict=True))
    judged = f"Geometry explains, ranking judges: {label(name)} is {before:.1f} as it is, {after}."
    return [*meaning(spaces[0].geometry, spaces[1].geometry, width), judged]


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in config.measures:
        measure(name)
    watch, console = Stopwatch(), Console()
    with watch.stage("data"):
        trained = Trained.load(config.model)
        encoder = trained.text_encoder(trained.computing(config.device, config.precision))
        collection = trained.collection(config.data)
        qrels = collection.split(config.split).qrels
    with watch.stage("encoding"):
        found = encoded(encoder, collection, config, trained.config.splits.train)
    with watch.stage("geometry"):
        spaces = spaces_of(found, qrels, config.measures)
    claim(config, folder, FILES)
    head = ["", *(space.name for space in spaces)]
    cells = [[label(name), *(f"{100 * space.measures[name]:.1f}" for space in spaces)] for name in config.measures]
    values = [space.geometry.rounded() for space in spaces]
    cells += [[name.replace("_", " "), *(f"{value[name]:.3f}" for value in values)] for name in values[0]]
    title = f"{collection.name}, {config.split}: {len(found.lists)} queries, {len(found.ids)} documents"
    whole(tables.terminal(title, head, cells), console)
    sentences = said(spaces, config.measures[0], encoder.width)
    for sentence in sentences:
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    result = {space.name: {**space.measures, **space.geometry.rounded()} for space in spaces}
    write_json({"split": config.split, "spaces": result, "meaning": sentences}, folder / "geometry.json")
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    with write_whole(folder / "geometry.html") as stream:
        stream.write(geometry_page(title, head, cells, spaces, sentences))
    console.print(f"files: {folder}\n  geometry.json, geometry.html", soft_wrap=True)
