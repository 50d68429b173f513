"""From documents to the entities that they are about: by their ids, or by the name that they begin with."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from clir_lightning.errors import one_of
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Link, Linker, part_links
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.spans import heads
from clir_lightning.types import Document

log = logging.getLogger(__name__)

WAYS = ("auto", "id", "text", "none")
READ = 300  # characters of a document that are looked at
LONGEST_NAME = 80  # characters of a name at its beginning
AT_ONCE = 2048  # documents a look-up
_BREAK = re.compile(r"\s+[—–-]\s+|\n")  # between a title and what follows it


def link_documents(graph: Graph, documents: Mapping[str, Document], language: str, by: str = "auto") -> dict[str, str]:
    """The entity of each document that has one, by the document's id.

    Args:
        graph: the entities.
        documents: their texts; only the first 300 characters are read.
        language: theirs.
        by: `id`, the document's id is an entity's; `text`, the document begins with a name, see `Beginnings`;
            `auto`, by id where the graph has that entity, else by text; `none` links nothing.
    """
    one_of(by, WAYS, "documents")
    links = {document_id: link for document_id, link in document_links(graph, documents, language, by) if link}
    rules = Counter(link.rule for link in links.values())
    told = ", ".join(f"{count:,} by {rule}" for rule, count in rules.most_common()) or "none"
    log.info("documents linked: %s of %s (%s)", f"{len(links):,}", f"{len(documents):,}", told)
    return {document_id: link.entity for document_id, link in links.items()}


def document_links(
    graph: Graph, documents: Mapping[str, Document], language: str, by: str = "auto"
) -> Iterator[tuple[str, Link | None]]:
    """Each document's id and link, in the documents' order; a bounded number of them is in memory."""
    beginnings = Beginnings(graph, language) if by in ("auto", "text") else None
    records = iter(documents.items())
    while part := list(islice(records, AT_ONCE)):
        links: list[Link | None] = [None] * len(part)

        # By id first: it cannot be mistaken.
        if by in ("auto", "id"):
            links = [Link(name, 1.0, "id", 0, 0) if name in graph else None for name, _ in part]

        # The rest by what they begin with.
        if beginnings is not None:
            rest = [place for place, link in enumerate(links) if link is None]
            found = beginnings.links([part[place][1].text[:READ] for place in rest])
            for place, link in zip(rest, found, strict=True):
                links[place] = link
        yield from ((document_id, link) for (document_id, _), link in zip(part, links, strict=True))


@dataclass(frozen=True)
class _Beginning:
    """A document's title, as far as it has one, what follows it, and the normal form of both together."""

    title: str
    rest: str
    normal: str


class Beginnings:
    """Links texts by the name that they begin with.

    What stands before the first dash between blanks or line break is a title: it is linked as a whole text is
    (`Linker`: label, alias, title, folded), and of several entities of that name the one is taken whose description
    follows (`description`). Where the title names nothing, the longest name that the text begins with is taken, to a
    bound of words (`longest`). Ties go as in `Linker`.
    """

    def __init__(self, graph: Graph, language: str) -> None:
        self._linker = Linker(graph, language)

    def links(self, texts: Sequence[str]) -> list[Link | None]:
        """The best link of each text."""
        parts = [self._split(text) for text in texts]
        whole = self._linker.whole([part.title for part in parts])
        described = self._described(parts, whole)
        found = [first or (links[0] if links else None) for first, links in zip(described, whole, strict=True)]

        # Texts whose title names nothing.
        rest = [place for place, link in enumerate(found) if link is None]
        for place, link in zip(rest, self._longest([parts[place].normal for place in rest]), strict=True):
            found[place] = link
        return found

    def _split(self, text: str) -> _Beginning:
        title, *rest = _BREAK.split(text.strip(), maxsplit=1)
        return _Beginning(title, rest[0] if rest else "", normal(text, self._linker.language))

    def _described(self, parts: Sequence[_Beginning], whole: Sequence[list[Link]]) -> list[Link | None]:
        """Of the entities that a title names, the one whose description the rest of the text is."""
        language = self._linker.language
        unclear = {link.entity for links in whole if len(links) > 1 for link in links}
        terms = self._linker.graph.terms(sorted(unclear))

        # `startswith`: of a long text the beginning alone is here, and a description may go on.
        found: list[Link | None] = []
        for part, links in zip(parts, whole, strict=True):
            rest = normal(part.rest, language) if len(links) > 1 else ""
            fit = [
                link
                for link in links
                if rest and rest.startswith(normal(terms[link.entity][language].description, language) or "\0")
            ]
            found.append(replace(fit[0], rule="description", score=1.0) if fit else None)
        return found

    def _longest(self, texts: Sequence[str]) -> list[Link | None]:
        """The longest name that each text begins with, of two characters or more."""
        names = [list(heads(text, LONGEST_NAME)) for text in texts]
        named = self._linker.named(name for part in names for name in part)

        # Longest first: the first one that the graph has.
        found: list[Link | None] = []
        for text, part in zip(texts, names, strict=True):
            key = next((name for name in part if name in named), None)
            found.append(part_links(text, [((0, len(key)), named[key])])[0] if key else None)
        return found
