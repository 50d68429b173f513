"""A graph written down by hand: what each query and document is linked to, and the texts around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from clir_lightning.data.batches.knowledge import KnowledgeTable
from clir_lightning.data.store.folders import fingerprint
from clir_lightning.types import Document, Query

# A member: its entity, its relation, its texts in the languages of queries and of documents.
Member = tuple[int, int, str | None, str | None]
AROUND: dict[int, Sequence[Member]] = {
    0: [(0, 0, "哈萨克语 — 语言", "қазақ тілі — тіл"), (1, 3, "阿拉木图", "Алматы — қала"), (2, 5, None, "тіл")],
    4: [(4, 0, "法语", None)],
    1: [(1, 0, "阿拉木图", "Алматы — қала"), (0, 2, "哈萨克语 — 语言", "қазақ тілі — тіл")],
}


@dataclass(frozen=True)
class Hand:
    """A `Knowledge` of queries and documents by their ids; those that it does not name are not linked."""

    queries: Mapping[str, int] = field(default_factory=dict)  # the entity of each
    documents: Mapping[str, int] = field(default_factory=dict)
    around: Mapping[int, Sequence[Member]] = field(default_factory=lambda: AROUND)
    mass: Mapping[tuple[int, int], float] = field(default_factory=dict)  # of pairs of entities

    def table(
        self, queries: Mapping[str, Query], documents: Mapping[str, Document], *, cache: str | None = None
    ) -> KnowledgeTable:
        """The table, an entity's row for each in `around`."""
        row = {entity: place for place, entity in enumerate(self.around)}
        width = max((len(members) for members in self.around.values()), default=0)
        members = np.full((len(row), width, 2), -1)
        entities = np.full((len(row), width), -1)
        relations = np.zeros((len(row), width), np.int64)
        places: dict[str, int] = {}

        for entity, listed in self.around.items():
            for place, (other, relation, *texts) in enumerate(listed):
                entities[row[entity], place] = other
                relations[row[entity], place] = relation
                for language, text in enumerate(texts):
                    if text is not None:
                        members[row[entity], place, language] = places.setdefault(text, len(places))

        mass = np.zeros((len(row), len(row)))
        for (one, other), value in self.mass.items():
            mass[row[one], row[other]] = value
        return KnowledgeTable(
            ("zh", "kk"),
            {str(place): Document(str(place), text, "") for text, place in places.items()},
            members,
            entities,
            relations,
            {query: row[entity] for query, entity in self.queries.items() if query in queries},
            {document: row[entity] for document, entity in self.documents.items() if document in documents},
            sp.csr_matrix(mass),
            fingerprint([repr((self, sorted(queries), sorted(documents)))]),
        )
