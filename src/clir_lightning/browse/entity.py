"""What a graph knows of a query and a document: the entities that they name, their neighbours, the way between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clir_lightning.knowledge.documents import document_links
from clir_lightning.knowledge.graph import Graph, Neighbour, Terms
from clir_lightning.knowledge.linking import Link, Linker, language_of
from clir_lightning.types import Document, Query

AROUND = 12  # neighbours that are shown
STEPS = 4  # of the longest way that is looked for
WIDE = 50  # neighbours of an entity that a way may lead over

Names = Mapping[str, Terms]  # by language


@dataclass(frozen=True)
class Edge:
    """A statement that leads from an entity to another, or from the other to it where it is not `outgoing`."""

    label: str
    entity: str
    names: Names
    outgoing: bool


@dataclass(frozen=True)
class Entity:
    """An entity that a text names, by which rule (`knowledge.linking`), with its neighbours."""

    id: str
    rule: str
    score: float
    names: Names
    around: tuple[Edge, ...]


@dataclass(frozen=True)
class Entities:
    """Looks texts up in a graph, whose languages are those of queries and documents."""

    graph: Graph
    _linkers: dict[str, Linker] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of_query(self, query: Query) -> Entity | None:
        """The best entity of a query. Raises `ConfigError` where the graph has no terms in its language."""
        if query.language not in self._linkers:  # kept: the names within texts take a while to read
            self._linkers[query.language] = Linker(self.graph, query.language)
        return self._entity(self._linkers[query.language].best(query.text))

    def of_document(self, document: Document) -> Entity | None:
        """The entity of a document, by its id or its beginning. Raises `ConfigError` as `of_query`."""
        language = language_of(self.graph, document.language)
        [(_, link)] = document_links(self.graph, {document.id: document}, language)
        return self._entity(link)

    def way(self, start: str, end: str) -> tuple[Edge, ...] | None:
        """The statements of a shortest way from one entity to another; `None` for none of `STEPS` steps or fewer."""
        steps = way(self.graph, start, end)
        return None if steps is None else self._edges(steps)

    def _entity(self, link: Link | None) -> Entity | None:
        if link is None:
            return None
        around = self._edges(self.graph.neighbours(link.entity, AROUND, "both"))
        names = self.graph.terms([link.entity]).get(link.entity, {})
        return Entity(link.entity, link.rule, link.score, names, around)

    def _edges(self, neighbours: Sequence[Neighbour]) -> tuple[Edge, ...]:
        """Neighbours with their names, and their properties' labels in the documents' language."""
        names = self.graph.terms([each.entity for each in neighbours])
        language = self.graph.languages[-1]
        labels = {each.property: self.graph.property_label(each.property, language) for each in neighbours}
        return tuple(
            Edge(labels[each.property], each.entity, names.get(each.entity, {}), each.outgoing) for each in neighbours
        )


def way(graph: Graph, start: str, end: str, *, steps: int = STEPS, wide: int = WIDE) -> list[Neighbour] | None:
    """A shortest way between two entities, each step the entity that it leads to; `[]` from an entity to itself.

    Looked for from both ends at once, over the first `wide` neighbours of each entity. `None` where there is no way of
    so many steps.
    """
    if start == end:
        return []
    ahead: dict[str, tuple[str, Neighbour] | None] = {start: None}
    back: dict[str, tuple[str, Neighbour] | None] = {end: None}
    fronts = ([start], [end])

    # One step from the smaller side at a time.
    for _ in range(steps):
        side = 0 if len(fronts[0]) <= len(fronts[1]) else 1
        seen = (ahead, back)[side]
        other = (back, ahead)[side]

        # The ways meet where one side reaches what the other has seen.
        front = []
        for entity in fronts[side]:
            for neighbour in graph.neighbours(entity, wide):
                if neighbour.entity not in seen:
                    seen[neighbour.entity] = (entity, neighbour)
                    front.append(neighbour.entity)
                if neighbour.entity in other:
                    return _joined(ahead, back, neighbour.entity)
        fronts = (front, fronts[1]) if side == 0 else (fronts[0], front)
    return None


def _joined(
    ahead: Mapping[str, tuple[str, Neighbour] | None], back: Mapping[str, tuple[str, Neighbour] | None], middle: str
) -> list[Neighbour]:
    """The way over an entity that both sides have reached."""
    found: list[Neighbour] = []
    at = middle
    while (step := ahead[at]) is not None:
        found.insert(0, step[1])
        at = step[0]

    # From the middle on, the steps of the other side are gone backwards.
    at = middle
    while (step := back[at]) is not None:
        found.append(Neighbour(step[0], step[1].property, not step[1].outgoing))
        at = step[0]
    return found
