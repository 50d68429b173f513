"""`clir geometry`: how a dual model's vectors lie, as they are, centred and whitened, beside how well they rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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

    # The split's queries with their candidates, and training texts of both sides.
    split, training = collection.split(config.split), collection.split(train)
    lists = candidates(collection, config.split, depth=config.depth, seed=config.seed, limit=config.queries)
    lists = Run({query: lists[query] for query in lists if lists[query]})
    ids = sorted({document for query in lists for document in lists[query]})
    of_train = training_texts(training, config.texts, config.seed)

    def vectors(records: Mapping[str, Any], side: Side, names: list[str]) -> Tensor:
        kept = {name: records[name] for name in names}
        found = encoder.reader(kept, side, names)(np.arange(len(names)))
        return normalize(torch.from_numpy(found), dim=-1)

    texts: dict[Side, Mapping[str, Any]] = {"query": training.queries, "document": collection.documents}
    return Encoded(
        vectors(split.queries, "query", list(lists)),
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
    # Pairs [n, 2] of a query's row and a document's, of a higher grade and of a lower one.
    query_rows = {query: row for row, query in enumerate(found.lists)}
    document_rows = {document: row for row, document in enumerate(found.ids)}
    lists = {query: list(found.lists[query]) for query in found.lists}
    positives, negatives = told_apart(lists, qrels, query_rows, document_rows)
    if not len(positives):
        raise DataError("no query of the split has candidates of different grades", cure="raise depth")

    spaces = []
    for name, (queries, documents) in views(found).items():
        # How they rank, by the cosines [Q, D] of all queries and documents.
        cosines = queries @ documents.T
        scores = {
            query: {document: float(cosines[query_rows[query], document_rows[document]]) for document in listed}
            for query, listed in lists.items()
        }
        means = evaluate(Run(scores, name=name), {query: qrels[query] for query in lists}, measures).means

        # How they lie: the cosines of the pairs, and each direction's share of the variance.
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


@dataclass(frozen=True)
class Report:
    """A title, a table with a column for each space, sentences on it, and the spaces."""

    title: str
    head: list[str]
    cells: list[list[str]]
    sentences: list[str]
    spaces: list[Space]

    @classmethod
    def of(cls, title: str, spaces: list[Space], measures: Sequence[str], width: int) -> Report:
        """The report of spaces whose vectors have `width` numbers: how they rank, then how they lie."""
        ranking = [[label(name), *(f"{100 * space.measures[name]:.1f}" for space in spaces)] for name in measures]
        values = [space.geometry.rounded() for space in spaces]
        lying = [[name.replace("_", " "), *(f"{value[name]:.3f}" for value in values)] for name in values[0]]
        head = ["", *(space.name for space in spaces)]
        return cls(title, head, [*ranking, *lying], said(spaces, measures[0], width), spaces)

    def show(self, console: Console) -> None:
        """Print it."""
        whole(tables.terminal(self.title, self.head, self.cells), console)
        for sentence in self.sentences:
            console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def write(self, folder: Path, split: str) -> None:
        """Write its numbers and its page."""
        numbers = {space.name: {**space.measures, **space.geometry.rounded()} for space in self.spaces}
        write_json({"split": split, "spaces": numbers, "meaning": self.sentences}, folder / "geometry.json")
        with write_whole(folder / "geometry.html") as stream:
            stream.write(geometry_page(self.title, self.head, self.cells, self.spaces, self.sentences))


def main(config: DictConfig) -> None:
    """Run the job."""
    folder = output_folder(config)
    for name in config.measures:
        measure(name)
    watch = Stopwatch()

    # From the model to its vectors, and from these to numbers.
    with watch.stage("data"):
        trained = Trained.load(config.model)
        encoder = trained.text_encoder(trained.computing(config.device, config.precision))
        collection = trained.collection(config.data)
        qrels = collection.split(config.split).qrels
    with watch.stage("encoding"):
        found = encoded(encoder, collection, config, trained.config.splits.train)
    with watch.stage("geometry"):
        spaces = spaces_of(found, qrels, config.measures)

    # Nothing is refused any more.
    claim(config, folder, FILES)
    title = f"{collection.name}, {config.split}: {len(found.lists)} queries, {len(found.ids)} documents"
    report = Report.of(title, spaces, config.measures, encoder.width)
    report.write(folder, config.split)
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    console = Console()
    report.show(console)
    console.print(f"files: {folder}\n  geometry.json, geometry.html", soft_wrap=True)
