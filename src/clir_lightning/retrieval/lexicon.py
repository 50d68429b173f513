"""A bilingual lexicon: terms with weighted translations, from tables, entity labels or the names in a collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from clir_lightning.data.collection import Split
from clir_lightning.data.entries import Entry
from clir_lightning.retrieval.analysis import CJK
from clir_lightning.types import Document

TITLE_END = " — "  # Kazakh reference works open with "name — what it is"
_ALIKE = re.compile(r"[0-9A-Za-z]+")  # what stays the same in any language


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word of a script that separates its words."""
    return left.isalnum() and right.isalnum() and not re.match(rf"[{CJK}]", left) and not re.match(rf"[{CJK}]", right)


@dataclass(frozen=True)
class Lexicon:
    """Lower-cased terms, each with translations whose weights sum to 1."""

    entries: Mapping[str, tuple[tuple[str, float], ...]]

    @classmethod
    def of(cls, entries: Iterable[Entry], alternatives: int | None = None) -> Lexicon:
        """Gather entries; weights of the same pair add up. `alternatives` keeps the heaviest so many of a term.

        >>> Lexicon.of([("法语", "француз тілі", 3), ("法语", "французша", 1)]).entries["法语"]
        (('француз тілі', 0.75), ('французша', 0.25))
        """
        gathered: dict[str, dict[str, float]] = {}
        for term, translation, weight in entries:
            table = gathered.setdefault(" ".join(term.lower().split()), {})
            table[translation] = table.get(translation, 0.0) + weight
        done = {}
        for term, table in gathered.items():
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

    def parts(self, text: str) -> tuple[tuple[str, float], ...]:
        """The weighted translations of the longest terms found from left to right, whole words only where words are
        separated; digits and Latin letters that no term covers stay, everything else is dropped.

        >>> Lexicon.of([("法语", "француз", 1), ("法", "заң", 1)]).parts("法语 2024 城")
        (('француз', 1.0), ('2024', 1.0))
        """
        text = " ".join(text.lower().split())
        found: list[tuple[str, float]] = []
        start = 0
        while start < len(text):
            if start and _joined(text[start - 1], text[start]):
                start += 1
                continue
            end = self._match(text, start)
            if end:
                found += self.entries[text[start:end]]
            elif alike := _ALIKE.match(text, start):
                found.append((alike.group(), 1.0))
                end = alike.end()
            start = end or start + 1
        return tuple(found)

    def _match(self, text: str, start: int) -> int:
        """Where the longest term that begins at `start` ends, 0 if there is none."""
        for end in range(min(len(text), start + self.longest), start, -1):
            if text[start:end] in self.entries and not (end < len(text) and _joined(text[end - 1], text[end])):
                return end
        return 0


def names_entries(split: Split, documents: Mapping[str, Document]) -> Iterator[Entry]:
    """Each query's text with the title of its best-graded document; only documents that open with `title — ` count."""
    seen = set()
    for query_id, query in split.queries.items():
        grades = split.qrels[query_id]
        best = max(grades, key=lambda document: grades[document], default=None)
        if best is None or grades[best] == 0 or query.text in seen:
            continue
        title, dash, _ = documents[best].text.partition(TITLE_END)
        if dash:
            seen.add(query.text)
            yield query.text, title, 1.0


def names_lexicon(split: Split, documents: Mapping[str, Document]) -> Lexicon:
    """The lexicon of `names_entries`; a collection of plain sentences gives an empty one."""
    return Lexicon.of(names_entries(split, documents))
