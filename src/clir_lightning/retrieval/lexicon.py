"""A bilingual lexicon: terms with weighted translations, from tables, entity labels or the names in a collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from clir_lightning.data.collection import Split
from clir_lightning.data.sources.term_tables import Entry
from clir_lightning.languages import lowered
from clir_lightning.retrieval.analysis import CJK
from clir_lightning.retrieval.retriever import WeightedQuery
from clir_lightning.types import Document, Query

Translations = tuple[tuple[str, float], ...]  # with their weights, the heaviest first
NOTHING: Mapping[str, Translations] = MappingProxyType({})
TITLE = 80  # characters of the longest title; a dash behind more of them stands within a sentence
TITLE_END = " — "  # Kazakh reference works open with "name — what it is"
_ALIKE = re.compile(r"[0-9A-Za-z]+")  # what stays the same in any language


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word of a script that separates its words."""
    return left.isalnum() and right.isalnum() and not re.match(rf"[{CJK}]", left) and not re.match(rf"[{CJK}]", right)


def term_of(text: str) -> str:
    """A text as a lexicon looks it up: lower-cased, composed (NFC), with single spaces.

    >>> term_of("  Алматы\\tҚАЛАСЫ ")
    'алматы қаласы'
    """
    return " ".join(lowered(text).split())


@dataclass(frozen=True)
class Lexicon:
    """Lower-cased terms, each with translations whose weights sum to 1."""

    entries: Mapping[str, Translations]

    @classmethod
    def of(cls, entries: Iterable[Entry], alternatives: int | None = None) -> Lexicon:
        """The lexicon of entries; weights of the same pair add up. `alternatives` keeps a term's heaviest, that many.

        >>> Lexicon.of([("法语", "француз тілі", 3), ("法语", "французша", 1)]).entries["法语"]
        (('француз тілі', 0.75), ('французша', 0.25))
        """
        weights: dict[str, dict[str, float]] = {}
        for term, translation, weight in entries:
            table = weights.setdefault(term_of(term), {})
            table[translation] = table.get(translation, 0.0) + weight
        done = {}
        for term, table in weights.items():
            best = sorted(table.items(), key=lambda pair: -pair[1])[:alternatives]
            total = sum(weight for _, weight in best)
            if term and total > 0:
                done[term] = tuple((translation, weight / total) for translation, weight in best)
        return cls(done)

    @cached_property
    def longest(self) -> int:
        """Characters of the longest term."""
        return max(map(len, self.entries), default=0)

    def __or__(self, other: Lexicon) -> Lexicon:
        """Both lexicons' terms; of a term in both, the other's translations."""
        return Lexicon({**self.entries, **other.entries})

    def parts(self, text: str, other: Mapping[str, Translations] = NOTHING) -> Translations:
        """The weighted translations of the longest terms found from left to right, whole words only where words are
        separated; digits and Latin letters that no term covers stay, everything else is dropped.

        `other` has other translations of some terms; where it has none for a term, the term is unknown.

        >>> lexicon = Lexicon.of([("法语", "француз", 1), ("法", "заң", 1)])
        >>> lexicon.parts("法语 2024 城"), lexicon.parts("法语", {"法语": ()})
        ((('француз', 1.0), ('2024', 1.0)), (('заң', 1.0),))
        """
        text = term_of(text)
        found: list[tuple[str, float]] = []
        start = 0
        while start < len(text):
            if start and _joined(text[start - 1], text[start]):
                start += 1
                continue
            end = self._match(text, start, other)
            if end:
                found += other.get(text[start:end]) or self.entries[text[start:end]]
            elif alike := _ALIKE.match(text, start):
                found.append((alike.group(), 1.0))
                end = alike.end()
            start = end or start + 1
        return tuple(found)

    def _match(self, text: str, start: int, other: Mapping[str, Translations]) -> int:
        """Where the longest term that begins at `start` ends, 0 if there is none."""
        for end in range(min(len(text), start + self.longest), start, -1):
            term = text[start:end]
            known = other.get(term, term in self.entries)
            if known and not (end < len(text) and _joined(text[end - 1], text[end])):
                return end
        return 0


def translated(
    lexicon: Lexicon, queries: Mapping[str, Query], language: str, *, own: Lexicon | None = None
) -> dict[str, Query]:
    """The queries in the lexicon's words.

    With `own`, each query's whole text is looked up in that lexicon and not in the other: training queries leave out
    the entry that comes from themselves, and those of any query of the same text, so that they are translated as well
    and as badly as a query that is not in the lexicon.
    """
    found: dict[str, Query] = {}
    for name, query in queries.items():
        term = term_of(query.text)
        other = NOTHING if own is None else {term: own.entries.get(term, ())}
        parts = lexicon.parts(query.text, other)
        found[name] = WeightedQuery(query.id, " ".join(text for text, _ in parts), language, parts)
    return found


def names_entries(split: Split, documents: Mapping[str, Document]) -> Iterator[Entry]:
    """Each query's text with the title of its best-graded document; only documents that open with `title — ` count.

    Which of several queries of the same text comes first decides.
    """
    seen = set()
    for query_id, query in split.queries.items():
        grades = split.qrels[query_id]
        best = max(grades, key=lambda document: grades[document], default=None)
        if best is None or grades[best] == 0 or query.text in seen:
            continue
        title, dash, _ = documents[best].text.partition(TITLE_END)
        if dash and len(title) <= TITLE:
            seen.add(query.text)
            yield query.text, title, 1.0


def names_lexicon(split: Split, documents: Mapping[str, Document]) -> Lexicon:
    """The lexicon of `names_entries`; a collection of plain sentences gives an empty one."""
    return Lexicon.of(names_entries(split, documents))
