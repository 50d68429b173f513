"""The queries that can be picked: a page gets all of a short list, and of a long one those that match some words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clir_lightning.browse.answers import answer, picked, sources
from clir_lightning.browse.library import Library
from clir_lightning.languages import lowered

MOST = 500  # queries that are sent to the browser
TRIED = 20  # queries that are tried for a page to open with
SHORT = 80  # characters of a query in the list


@dataclass(frozen=True)
class Choices:
    """The queries of a split by id, in its order, and the one that a page opens with."""

    texts: Mapping[str, str]
    opening: str | None = None

    @classmethod
    def of(cls, library: Library) -> Choices:
        """Those of the library's split, the judged ones first: they have something to show."""
        queries = library.split.queries
        qrels = library.split.qrels
        order = sorted(queries, key=lambda query: not qrels[query])
        return cls({query: queries[query].text for query in order}, opening(library, order[:TRIED]))

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def long(self) -> bool:
        """Whether the browser gets only some of them."""
        return len(self.texts) > MOST

    def matching(self, words: str) -> list[str]:
        """The first queries whose id or text has all the words, in any letter case.

        >>> choices = Choices({"q1": "Алматы қаласы", "q2": "алма"})
        >>> choices.matching("АЛМА"), choices.matching("қала алма"), choices.matching("q2")
        (['q1', 'q2'], ['q1'], ['q2'])
        """
        wanted = lowered(words).split()
        if not wanted:
            return list(self.texts)[:MOST]
        found = []
        for query, text in self.texts.items():
            whole = lowered(f"{query} {text}")
            if all(word in whole for word in wanted):
                found.append(query)
                if len(found) == MOST:
                    break
        return found

    def label(self, query: str) -> str:
        """A query in a list.

        >>> Choices({"q1": "Алматы"}).label("q1")
        'Алматы · q1'
        """
        text = " ".join(self.texts[query].split())
        return f"{text[:SHORT]}{'…' * (len(text) > SHORT)} · {query}"


def opening(library: Library, queries: Sequence[str]) -> str | None:
    """Of these queries the one for which the page's first system lists the most relevant documents.

    The first of equals; one without any relevant document, but with a list, comes before those without a list.
    """
    system = library.shown()[0]
    if system in library.models or not queries:  # a model ranks whatever it is given
        return next(iter(queries), None)

    def worth(query: str) -> tuple[int, bool]:
        question = picked(library, query)
        listed = answer(library, question, system, sources(library, question)[0]).scores
        return sum((question.grades or {}).get(document, 0) > 0 for document in listed), bool(listed)

    return max(queries, key=worth)
