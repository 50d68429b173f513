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
from clir_lightning.evaluation import tables
from clir_lightning.evaluation.geometry import meaning
from clir_lightning.evaluation.measures import label, measure
from clir_lightning.evaluation.report.geometry_page import geometry_page
from clir_lightning.evaluation.spaces import Encoded, Space, spaces_of
from clir_lightning.lightning.callbacks.centring import training_texts
from clir_lightning.outputs.folder import claim, output_folder, tell_files
from clir_lightning.outputs.provenance import Stopwatch, provenance, write_json
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Run

FILES = ("geometry.json", "geometry.html", "provenance.json")


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
        vectors = encoded(encoder, collection, config, trained.config.splits.train)
    with watch.stage("geometry"):
        spaces = spaces_of(vectors, qrels, config.measures)

    # Nothing is rejected any more.
    claim(config, folder, FILES)
    title = f"{collection.name}, {config.split}: {len(vectors.lists)} queries, {len(vectors.ids)} documents"
    report = GeometryReport.of(title, spaces, config.measures, encoder.width)
    report.write(folder, config.split)
    write_json(provenance(plain(config), config.seed, watch), folder / "provenance.json")
    report.show(Console())
    tell_files(folder, FILES)


def encoded(encoder: TextEncoder, collection: Collection, config: DictConfig, train: str) -> Encoded:
    """Encode the sample that the settings describe; nothing is subtracted from the vectors."""
    for side in ("query", "document"):
        encoder.model.mean(side).zero_()  # a model trained with `centring` has its own

    # The split's queries with their candidates.
    split = collection.split(config.split)
    lists = candidates(collection, config.split, depth=config.depth, seed=config.seed, limit=config.queries)
    lists = Run({query: lists[query] for query in lists if lists[query]})
    ids = sorted({document for query in lists for document in lists[query]})

    # Training texts of both sides, for the means and the directions of the variance.
    training = collection.split(train)
    of_train = training_texts(training, config.texts, config.seed)
    sides: dict[Side, Mapping[str, Any]] = {"query": training.queries, "document": collection.documents}
    return Encoded(
        _vectors(encoder, split.queries, "query", list(lists)),
        _vectors(encoder, collection.documents, "document", ids),
        lists,
        ids,
        {side: _vectors(encoder, records, side, of_train[side]) for side, records in sides.items()},
    )


def _vectors(encoder: TextEncoder, records: Mapping[str, Any], side: Side, names: list[str]) -> Tensor:
    """Unit vectors `[N, P]` of the records of these names."""
    named = {name: records[name] for name in names}
    vectors = encoder.reader(named, side, names)(np.arange(len(names)))
    return normalize(torch.from_numpy(vectors), dim=-1)


def said(spaces: Sequence[Space], name: str, width: int) -> list[str]:
    """What the numbers mean, and what centring and whitening change in the measure `name`."""
    before, *changed = (100 * space.measures[name] for space in spaces)
    after = " and ".join(f"{value:.1f} {space.name}" for value, space in zip(changed, spaces[1:], strict=True))
    judged = f"Geometry explains, ranking judges: {label(name)} is {before:.1f} as it is, {after}."
    return [*meaning(spaces[0].geometry, spaces[1].geometry, width), judged]


@dataclass(frozen=True)
class GeometryReport:
    """A title, a table with a column for each space, sentences on it, and the spaces."""

    title: str
    head: list[str]
    cells: list[list[str]]
    sentences: list[str]
    spaces: list[Space]

    @classmethod
    def of(cls, title: str, spaces: list[Space], measures: Sequence[str], width: int) -> GeometryReport:
        """The report of spaces whose vectors have `width` numbers: how they rank, then how they lie."""
        ranking = [[label(name), *(f"{100 * space.measures[name]:.1f}" for space in spaces)] for name in measures]
        values = [space.geometry.rounded() for space in spaces]
        lying = [[name.replace("_", " "), *(f"{value[name]:.3f}" for value in values)] for name in values[0]]
        head = ["", *(space.name for space in spaces)]
        return cls(title, head, [*ranking, *lying], said(spaces, measures[0], width), spaces)

    def show(self, console: Console) -> None:
        """Print it."""
        tables.print_whole(tables.terminal(self.title, self.head, self.cells), console)
        for sentence in self.sentences:
            console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def write(self, folder: Path, split: str) -> None:
        """Write its numbers and its page."""
        numbers = {space.name: {**space.measures, **space.geometry.rounded()} for space in self.spaces}
        write_json({"split": split, "spaces": numbers, "meaning": self.sentences}, folder / "geometry.json")
        with write_whole(folder / "geometry.html") as stream:
            stream.write(geometry_page(self.title, self.head, self.cells, self.spaces, self.sentences))
