"""What there is to say of topics: their words in both languages, their measures, as a table and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from rich.console import Console

from clir_lightning.data.tokens.texts import Side
from clir_lightning.evaluation import tables
from clir_lightning.evaluation.report.charts import OTHER, RELEVANT, distribution
from clir_lightning.evaluation.report.markup import document, key, section, table
from clir_lightning.topics.measures import Floats, Match, coherence, diversity
from clir_lightning.topics.words import Vocabulary

OF_DIVERSITY = 25  # words a topic, the field's number


def strongest(weights: NDArray[np.float32], vocabulary: Vocabulary, number: int) -> list[list[str]]:
    """Each topic's words of most weight, of `weights` `[K, V]`; equal ones in the vocabulary's order.

    >>> strongest(np.array([[0.1, 0.9, 0.5]]), Vocabulary(("тіл", "қала", "ел")), 2)
    [['қала', 'ел']]
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :number]
    return [[vocabulary.words[place] for place in row] for row in order]


def excess(theta: NDArray[np.float32], counts: sp.csr_matrix) -> NDArray[np.float32]:
    """How much more often a word occurs with a topic than by chance, `[K, V]`, in texts that no decoder was trained on.

    Σ over N texts of (θₖ − its mean) · nᵥ, of topics `[N, K]` and counts `[N, V]`.
    """
    found: NDArray[np.float32] = np.asarray(counts.T @ (theta - theta.mean(axis=0))).T
    return found


@dataclass(frozen=True)
class Report:
    """Topics in words and numbers.

    Args:
        title: of table and page.
        languages: of each side, for the columns.
        words: each side's words of each topic, the strongest first.
        shares: mean of θ over the documents, `[K]`.
        npmi: coherence of each topic's words in the documents, `[K]`.
        diverse: share of different words among those of all topics.
        match: of queries and documents, where there are judgements.
    """

    title: str
    languages: Mapping[Side, str]
    words: Mapping[Side, list[list[str]]]
    shares: Floats
    npmi: Floats
    diverse: float
    match: Match | None

    @classmethod
    def of(
        cls,
        title: str,
        languages: Mapping[Side, str],
        words: Mapping[Side, list[list[str]]],
        *,
        shown: int,
        shares: Floats,
        texts: Sequence[Sequence[str]],
        match: Match | None,
    ) -> Report:
        """The report of topics with their `OF_DIVERSITY` strongest `words`; `texts` are the documents' words."""
        first = {side: [topic[:shown] for topic in topics] for side, topics in words.items()}
        npmi = coherence(first["document"], texts)
        return cls(title, languages, first, shares, npmi, diversity(words["document"]), match)

    def numbers(self) -> dict[str, float]:
        """The measures by name."""
        whole = {"npmi": round(float(self.npmi.mean()), 4), "diversity": round(self.diverse, 4)}
        return whole if self.match is None else {**whole, **self.match.numbers()}

    def plain(self) -> dict[str, Any]:
        """All of it as plain values."""
        rounded = {"shares": self.shares.round(4).tolist(), "npmi": self.npmi.round(4).tolist()}
        return {"measures": self.numbers(), "topics": {**rounded, "words": dict(self.words)}}

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows, the commonest topic first."""
        names: dict[Side, str] = {"document": "documents", "query": "queries"}
        sides = [side for side in names if side in self.words]
        head = ["topic", *(f"words of {names[side]} ({self.languages[side]})" for side in sides), "share", "NPMI"]
        told = [[" ".join(topic) for topic in self.words[side]] for side in sides]
        order = np.argsort(-self.shares, kind="stable").tolist()
        rows = [
            [str(k), *(words[k] for words in told), f"{100 * self.shares[k]:.1f} %", f"{self.npmi[k]:.2f}"]
            for k in order
        ]
        return head, rows

    def sentences(self) -> list[str]:
        """The measures in words."""
        numbers = self.numbers()
        said = [
            f"Coherence (NPMI, mean over topics): {numbers['npmi']:.3f}; 1: words that always meet, −1: never.",
            f"Diversity: {100 * numbers['diversity']:.0f} % of the topics' {OF_DIVERSITY} strongest words differ.",
        ]
        if self.match is not None:
            said.append(
                f"Match of queries and documents: similarity {numbers['relevant_similarity']:.3f} with relevant ones, "
                f"{numbers['random_similarity']:.3f} with random ones; the strongest topic is the same in "
                f"{100 * numbers['relevant_same_topic']:.0f} % and {100 * numbers['random_same_topic']:.0f} %."
            )
        return said

    def show(self, console: Console) -> None:
        """Print it."""
        head, rows = self._table()
        tables.print_whole(tables.terminal(self.title, head, rows, len(head) - 2), console)
        for sentence in self.sentences():
            console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def page(self) -> str:
        """One file of HTML."""
        head, rows = self._table()
        said = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences())
        topics = table(head, rows, len(head) - 2)
        parts = [
            f"<header><h1>{escape(self.title)}</h1></header>",
            f"<aside><h2>What the numbers mean</h2><ul>{said}</ul></aside>",
            f"<section><h2>Topics</h2>{topics}</section>",
        ]

        # How alike relevant pairs and random ones are.
        if self.match is not None:
            pairs = (self.match.relevant.similarity, self.match.random.similarity)
            caption = key({"relevant": RELEVANT, "random": OTHER})
            picture = distribution(*pairs, "similarity", ("relevant", "random"), "similarity of topics")
            what = "1 − Jensen–Shannon divergence of the topics of a query and of a document."
            parts.append(section("Queries and documents", what, [(caption, picture)]))
        return document(self.title, parts)
