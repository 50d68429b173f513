"""How good topics are: their words' coherence and diversity, and whether a query has its documents' topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from clir_lightning.types import Grades

Floats = NDArray[np.float64]
WINDOW = 10  # words, as gensim has it for c_npmi
TINY = 1e-12  # gensim's, which keeps logarithms finite
BATCH = 4096  # texts counted at a time


def coherence(topics: Sequence[Sequence[str]], texts: Iterable[Sequence[str]], window: int = WINDOW) -> Floats:
    """Mean NPMI `[K]` of the pairs of each topic's words, over windows of `window` words of the texts (C_NPMI).

    NPMI of two words is log(p(a, b) / p(a)p(b)) over −log p(a, b), where p counts the windows that hold them: nearly −1
    for words that never meet, 1 for words that always do (Bouma, 2009; Röder et al., 2015; numbers as gensim's). A text
    shorter than a window is one window. A topic of one word has 0. As gensim moves its window, a word that stands in it
    twice is gone with the first of both; texts that repeat words have slightly other numbers than by the formula.

    >>> texts = [["a", "b"], ["a", "b"], ["c"], ["d"]]
    >>> coherence([["a", "b"], ["a", "c"]], texts).round(3).tolist()
    [1.0, -0.925]
    """
    words = {word: place for place, word in enumerate(dict.fromkeys(word for topic in topics for word in topic))}
    together, windows = _windows(texts, words, window)

    # [R, R] of the R different words.
    shares = together / max(windows, 1)
    alone = np.diag(shares)
    with np.errstate(divide="ignore", invalid="ignore"):
        npmi = np.log((shares + TINY) / np.outer(alone, alone)) / -np.log(shares + TINY)
    npmi[~np.isfinite(npmi)] = 0  # of a word that no text has

    def mean(topic: Sequence[str]) -> float:
        pairs = [npmi[words[one], words[other]] for one, other in combinations(topic, 2)]
        return float(np.mean(pairs)) if pairs else 0.0

    return np.array([mean(topic) for topic in topics])


def _windows(texts: Iterable[Sequence[str]], words: Mapping[str, int], window: int) -> tuple[Floats, int]:
    """In how many windows two words meet, `[R, R]` with a word's own windows on the diagonal, and how many there are.

    `words` are R words with their rows.
    """
    together = np.zeros((len(words), len(words)))
    count = 0
    rest = iter(texts)
    while part := list(islice(rest, BATCH)):
        # The windows of this part, one text's behind another's.
        rows: list[int] = []
        columns: list[int] = []
        windows = 0
        for text in part:
            for word, start in _occurrences(text, words, window):
                rows.append(windows + start)
                columns.append(word)
            windows += max(len(text) - window, 0) + 1

        # [windows, R], 1 where a word stands.
        found = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(windows, len(words)))
        found.data[:] = 1
        together += (found.T @ found).toarray()
        count += windows
    return together, count


def _occurrences(text: Sequence[str], words: Mapping[str, int], window: int) -> Iterator[tuple[int, int]]:
    """Each of the `words` in a text, by its row, with the beginning of each window that it stands in.

    An occurrence stands in the windows that begin up to window − 1 words before it; in fewer where the word occurs
    before it in the first of these, as gensim counts.
    """
    last = max(len(text) - window, 0)  # where the last window begins
    before: dict[str, list[int]] = {}
    for place, word in enumerate(text):
        if word in words:
            begin = max(0, place - window + 1)
            before[word] = [*(earlier for earlier in before.get(word, ()) if earlier >= begin), place]
            for start in range(begin, min(before[word][0], last) + 1):
                yield words[word], start


def diversity(topics: Sequence[Sequence[str]]) -> float:
    """The share of different words among those of all topics, 25 each as a rule (Dieng et al., 2020).

    >>> diversity([["a", "b"], ["a", "c"]])
    0.75
    """
    words = [word for topic in topics for word in topic]
    return len(set(words)) / max(len(words), 1)


def similarity(one: Floats, other: Floats) -> Floats:
    """1 − the Jensen–Shannon divergence, in bits, `[N]`, of N pairs of distributions `[N, K]`: 1 for equal ones.

    >>> similarity(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])).tolist()
    [0.0, 1.0]
    """
    middle = (one + other) / 2

    def entropy(shares: Floats) -> Floats:
        found: Floats = -(shares * np.log2(np.maximum(shares, TINY))).sum(axis=1)
        return found

    found: Floats = 1 - entropy(middle) + (entropy(one) + entropy(other)) / 2
    return found


@dataclass(frozen=True)
class PairTopics:
    """How alike the topics of N pairs are: `similarity` `[N]`, and whether their strongest topics are one, `[N]`."""

    similarity: Floats
    same: NDArray[np.bool_]

    @classmethod
    def of(cls, one: Floats, other: Floats) -> PairTopics:
        """Of two distributions `[N, K]`."""
        return cls(similarity(one, other), one.argmax(axis=1) == other.argmax(axis=1))


@dataclass(frozen=True)
class Match:
    """Topics of queries beside those of their relevant documents, and beside those of documents drawn at random."""

    relevant: PairTopics
    random: PairTopics

    def numbers(self) -> dict[str, float]:
        """Mean similarity and share of one strongest topic, of both kinds of pairs."""
        kinds = {"relevant": self.relevant, "random": self.random}
        found = {}
        for kind, pairs in kinds.items():
            found[f"{kind}_similarity"] = round(float(pairs.similarity.mean()), 4)
            found[f"{kind}_same_topic"] = round(float(pairs.same.mean()), 4)
        return found


def match(
    queries: Mapping[str, Floats],
    documents: Mapping[str, Floats],
    qrels: Mapping[str, Grades],
    *,
    others: int = 10,
    seed: int = 1,
) -> Match | None:
    """How much closer a query's topics are to its relevant documents' than to those of documents drawn at random.

    Args:
        queries, documents: topics `[K]` by id.
        qrels: grades of the queries' documents.
        others: random documents for each relevant pair, of which relevant ones are left out.
        seed: of those.

    Nothing where there is no pair of either kind.
    """
    random = np.random.default_rng(seed)
    names = list(documents)
    relevant: list[tuple[str, str]] = []
    drawn: list[tuple[str, str]] = []
    for query in queries:
        wanted = [document for document, grade in qrels.get(query, {}).items() if grade > 0 and document in documents]
        relevant += [(query, document) for document in wanted]
        places = random.integers(len(names), size=others * len(wanted))
        drawn += [(query, names[place]) for place in places if names[place] not in wanted]
    if not relevant or not drawn:
        return None

    # Of both kinds alike.
    def topics(pairs: list[tuple[str, str]]) -> PairTopics:
        one = np.array([queries[query] for query, _ in pairs], np.float64)
        return PairTopics.of(one, np.array([documents[document] for _, document in pairs], np.float64))

    # As two samples.
    return Match(topics(relevant), topics(drawn))
