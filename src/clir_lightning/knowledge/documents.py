"""From documents to the entities that they are about: by their ids, or by the name that they begin with."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from clir_lightning.errors import one_of
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Link, Linker, part_links
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.spans import heads
from clir_lightning.progress import Progress
from clir_lightning.types import Document

log = logging.getLogger(__name__)

WAYS = ("auto", "id", "text", "none")
READ = 300  # characters of a document that are looked at
LONGEST_NAME = 80  # characters of a name at its beginning
AT_ONCE = 2048  # documents a look-up
_BREAK = re.compile(r"\s+[—–-]\s+|\n")  # between a title and what follows it
_END = re.compile(r"(?<=\w\w\w)[.!?]\s|[。！？]")  # of a sentence; a shorter word with a full stop is cut short itself


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
    with Progress("linking documents", "texts", len(documents)) as progress:
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
            progress.advance(len(part))


class Beginnings:
    """Links texts by the name that they begin with.

    What stands before a dash between blanks or a line break, in the first sentence, is a title, and so may be the whole
    text. The longest title that names something is linked as a whole text is (`Linker`: label, alias, title, folded),
    and of several entities of that name the one is taken whose description follows (`description`). Where no title
    does, the longest name that the text begins with is taken, to a bound of words (`longest`); where there is a dash or
    line break only one that a bracket follows, since the others are parts of longer names. Ties go as in `Linker`.
    """

    def __init__(self, graph: Graph, language: str) -> None:
        self._linker = Linker(graph, language)

    def links(self, texts: Sequence[str]) -> list[Link | None]:
        """The best link of each text."""
        titles = [_titles(text) for text in texts]
        flat = [title for part in titles for title in part]
        whole = dict(zip(flat, self._linker.whole(flat), strict=True))

        # The longest title that names something, and what it names.
        named = [next((title for title in part if whole[title]), "") for part in titles]
        rests = [_BREAK.sub("", text.strip()[len(title) :], count=1) for text, title in zip(texts, named, strict=True)]
        found = self._described([whole.get(title, []) for title in named], rests)

        # Texts without.
        left = [place for place, link in enumerate(found) if link is None]
        longest = self._longest(
            [(texts[place], titles[place][-1:] not in ([], [texts[place].strip()])) for place in left]
        )
        for place, link in zip(left, longest, strict=True):
            found[place] = link
        return found

    def _described(self, links: Sequence[list[Link]], rests: Sequence[str]) -> list[Link | None]:
        """Of the entities that a title names, the one whose description the rest of the text is, or the first."""
        language = self._linker.language
        terms = self._linker.graph.terms([link.entity for found in links if len(found) > 1 for link in found])

        # The rest begins with the description: of a long text only a beginning is here, and it may go on.
        best: list[Link | None] = []
        for found, rest in zip(links, rests, strict=True):
            fit = []
            if len(found) > 1:
                told = {link: normal(terms[link.entity][language].description, language) for link in found}
                follows = normal(rest, language)
                fit = [link for link, text in told.items() if text and follows.startswith(text)]
            best.append(replace(fit[0], rule="description", score=1.0) if fit else next(iter(found), None))
        return best

    def _longest(self, texts: Sequence[tuple[str, bool]]) -> list[Link | None]:
        """The longest name that each text begins with; the second tells whether it has a title before a dash."""
        keys = [normal(text, self._linker.language) for text, _ in texts]
        names = [list(heads(key, LONGEST_NAME)) for key in keys]
        for place, (key, (_, titled)) in enumerate(zip(keys, texts, strict=True)):
            if titled:
                names[place] = [name for name in names[place] if key[len(name) :].lstrip().startswith("(")]
        named = self._linker.named(name for part in names for name in part)

        # Longest first: the first one that the graph has.
        found: list[Link | None] = []
        for key, part in zip(keys, names, strict=True):
            name = next((name for name in part if name in named), None)
            found.append(part_links(key, [((0, len(name)), named[name])])[0] if name else None)
        return found


def _titles(text: str) -> list[str]:
    """What may be a text's title, the longest first; in its first sentence.

    >>> _titles("Грузия - Украина — матч"), _titles("Алматы. Қала — көп")
    (['Грузия - Украина — матч', 'Грузия - Украина', 'Грузия'], ['Алматы. Қала — көп'])
    """
    text = text.strip()
    sentence = _END.search(text)
    ends = [match.start() for match in _BREAK.finditer(text, 0, sentence.start() if sentence else len(text))]
    return [text[:end] for end in (len(text), *reversed(ends)) if end]
