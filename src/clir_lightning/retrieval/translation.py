"""Query translation by a lexicon of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clir_lightning.data.collection import Split
from clir_lightning.types import Document

TITLE_END = " — "  # Kazakh reference works open with "name — what it is"


@dataclass(frozen=True)
class Lexicon:
    """Terms of the query language with their translation."""

    entries: Mapping[str, str]

    def translate(self, text: str) -> str:
        """The translations of the longest entries found from left to right; what no entry covers is dropped.

        >>> Lexicon({"法语": "француз тілі", "加拿大": "Канада", "加": "қосу"}).translate("法语 (加拿大)")
        'француз тілі Канада'
        """
        longest = max(map(len, self.entries), default=0)
        found, start = [], 0
        while start < len(text):
            for end in range(min(len(text), start + longest), start, -1):
                if text[start:end] in self.entries:
                    found.append(self.entries[text[start:end]])
                    start = end
                    break
            else:
                start += 1
        return " ".join(found)


def names_lexicon(split: Split, documents: Mapping[str, Document]) -> Lexicon:
    """A lexicon of a split's queries: each query's text with the title of its best-graded document.

    Only documents that open with a title (`title — text`) count, so a collection of plain sentences gives none.
    """
    entries: dict[str, str] = {}
    for query_id, query in split.queries.items():
        grades = split.qrels[query_id]
        best = max(grades, key=lambda document: grades[document], default=None)
        if best is None or grades[best] == 0:
            continue
        title, dash, _ = documents[best].text.partition(TITLE_END)
        if dash:
            entries.setdefault(query.text, title)
    return Lexicon(entries)
