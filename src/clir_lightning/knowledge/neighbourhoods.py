"""Entities with their neighbours as rows of numbers, and the texts of all of them, each text once."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from clir_lightning.data.store.columns import map_array
from clir_lightning.data.store.folders import read_manifest
from clir_lightning.data.store.tables import RecordTable, RecordWriter
from clir_lightning.knowledge.graph import Graph, Terms
from clir_lightning.progress import Progress
from clir_lightning.types import Document

Ints = NDArray[np.int64]
ARRAYS = ("members", "entities", "relations")
MIXED = "mul"  # ISO 639 for texts in several languages
AT_ONCE = 512  # entities whose neighbours' terms are read in one go


def relation(name: str, outgoing: bool) -> int:
    """A number for a property, by its id, and a direction, the same in every graph and run; 0 is no such number.

    Two properties share one with a chance of 1 in 2³⁰.

    >>> relation("P31", True), relation("P31", False)
    (1821451601, 1821451602)
    """
    return 1 + 2 * (zlib.crc32(name.encode("utf-8")) & 0x3FFFFFFF) + (0 if outgoing else 1)


def text_of(terms: Terms | None, description: bool) -> str:
    """What is read of an entity in one language: nothing without a label.

    >>> text_of(Terms("Бром", "химиялық элемент", (), ""), description=True)
    'Бром — химиялық элемент'
    """
    if terms is None or not terms.label:
        return ""
    return f"{terms.label} — {terms.description}" if description and terms.description else terms.label


@dataclass
class Reader:
    """Numbers entities, and the texts of each in L languages, in the order in which they come."""

    graph: Graph
    languages: tuple[str, ...]
    description: bool
    numbers: dict[str, int] = field(default_factory=dict)  # of entities
    texts: dict[str, int] = field(default_factory=dict)  # rows of texts
    rows: list[list[int]] = field(default_factory=list)  # by an entity's number: L rows of texts, or -1

    def add(self, entities: Sequence[str]) -> None:
        """Number entities that are new."""
        new = [entity for entity in dict.fromkeys(entities) if entity not in self.numbers]
        known = self.graph.terms(new)
        for entity in new:
            self.numbers[entity] = len(self.numbers)
            terms = known.get(entity, {})
            texts = [text_of(terms.get(language), self.description) for language in self.languages]
            self.rows.append([self.texts.setdefault(text, len(self.texts)) if text else -1 for text in texts])


@dataclass(frozen=True)
class Around:
    """E entities with what is around them, N members each, the entity itself first; as in `KnowledgeTable`."""

    texts: Mapping[str, Document]
    members: Ints  # [E, N, L]
    entities: Ints  # [E, N]
    relations: Ints  # [E, N]
    mass: sp.csr_matrix | None = None  # [E, E]

    def write(self, folder: Path) -> dict[str, Any]:
        """Write it into a folder; returns the folder's manifest."""
        writer = RecordWriter(folder, "texts")
        for text_id, text in self.texts.items():
            writer.append(text_id, text.text)
        texts = writer.close()
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        if self.mass is not None:
            sp.save_npz(folder / "mass.npz", self.mass, compressed=False)
        return {"kind": "knowledge", "texts": texts, "mass": self.mass is not None}

    @classmethod
    def open(cls, folder: Path) -> Around:
        """What `write` wrote, mapped into memory; `DataError` if the folder is not whole."""
        manifest = read_manifest(folder)
        texts = RecordTable.open(folder, "texts", MIXED, manifest["texts"], Document)
        members, entities, relations = (map_array(folder / f"{name}.npy") for name in ARRAYS)
        mass = sp.csr_matrix(sp.load_npz(folder / "mass.npz")) if manifest["mass"] else None
        return cls(texts, members, entities, relations, mass)


def read_neighbourhoods(
    graph: Graph, entities: Sequence[str], languages: tuple[str, ...], neighbours: int, order: str, description: bool
) -> Around:
    """The neighbourhoods of entities, in their order.

    N is 1 + `neighbours` whatever the entities have: what an entity lacks is -1.
    """
    reader = Reader(graph, languages, description)
    numbers = np.full((len(entities), 1 + neighbours), -1, np.int64)
    relations = np.zeros((len(entities), 1 + neighbours), np.int64)

    # Some at a time: the terms of all their neighbours are looked up together.
    with Progress("reading neighbours", "entities", len(entities)) as progress:
        for start in range(0, len(entities), AT_ONCE):
            part = entities[start : start + AT_ONCE]
            names: list[str] = []
            near = [graph.neighbours(entity, neighbours, order) if neighbours else [] for entity in part]
            for entity, found in zip(part, near, strict=True):
                names += [entity, *(other.entity for other in found)]
            reader.add(names)

            # The entity itself stands first, in no relation.
            for row, (entity, found) in enumerate(zip(part, near, strict=True), start):
                numbers[row, 0] = reader.numbers[entity]
                for place, other in enumerate(found, 1):
                    numbers[row, place] = reader.numbers[other.entity]
                    relations[row, place] = relation(other.property, other.outgoing)
            progress.advance(len(part))

    # A last row of -1: what -1 picks.
    of_entity = np.asarray([*reader.rows, [-1] * len(languages)], np.int64)
    texts = {str(row): Document(str(row), text, MIXED) for text, row in reader.texts.items()}
    return Around(texts, of_entity[numbers], numbers, relations)
