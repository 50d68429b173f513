"""The words of topics: a vocabulary from texts, counts of its words, and terms that two vocabularies share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from clir_lightning.errors import DataError
from clir_lightning.settings.markers import Count, Range
from clir_lightning.settings.values import check_fields

Tokens = Callable[[str], list[str]]  # an analyser: text to words


@dataclass(frozen=True, kw_only=True)
class WordLimits:
    """Which words a vocabulary takes, by the number of texts that they occur in.

    Args:
        least: texts that a word must occur in.
        most: share of the texts that a word may occur in: what occurs in more tells no topics apart.
        size: words, the most frequent of those.
    """

    least: Count = 3
    most: Annotated[float, Range(above=0, most=1)] = 0.5
    size: Count = 2000

    def __post_init__(self) -> None:
        check_fields(self, "words")


@dataclass(frozen=True)
class Vocabulary:
    """Words of one language, the most frequent first."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], limits: WordLimits, name: str = "texts") -> Vocabulary:
        """The words of analysed texts within the limits. Raises `DataError`, with `name`, where none is left.

        >>> texts = [["тіл", "қазақ"], ["тіл", "француз"], ["тіл", "қазақ", "қазақ"], ["тіл"]]
        >>> Vocabulary.of(texts, WordLimits(least=2, most=0.5))
        Vocabulary(words=('қазақ',))
        """
        seen: Counter[str] = Counter()
        count = 0
        for words in texts:
            seen.update(set(words))
            count += 1

        # Equally frequent words in their alphabet's order, whatever order the texts come in.
        kept = [(-n, word) for word, n in seen.items() if limits.least <= n <= limits.most * count]
        if not kept:
            problem = f"none of the {len(seen)} words of {count} {name} occurs in {limits.least} texts or more and in"
            raise DataError(
                f"{problem} at most {limits.most:.0%} of them", cure="lower words.least, or raise words.most"
            )
        return cls(tuple(word for _, word in sorted(kept)[: limits.size]))

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each word."""
        return {word: place for place, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def counts(self, texts: Iterable[Sequence[str]]) -> sp.csr_matrix:
        """How often each of N texts has each word, `[N, V]`; other words are left out.

        >>> Vocabulary(("тіл", "қала")).counts([["тіл", "тіл", "жаңа"], ["жаңа"]]).toarray()
        array([[2., 0.],
               [0., 0.]], dtype=float32)
        """
        columns: list[int] = []
        ends = [0]
        for words in texts:
            columns += [self.places[word] for word in words if word in self.places]
            ends.append(len(columns))
        matrix = sp.csr_matrix(
            (np.ones(len(columns), np.float32), columns, ends), shape=(len(ends) - 1, len(self.words))
        )
        matrix.sum_duplicates()
        return matrix


@dataclass(frozen=True)
class Links:
    """A term table in the words of two vocabularies: A terms, B translations, and which belong together."""

    queries: sp.csr_matrix  # [A, V_q], each row's sum 1: a term is the mean of its words
    documents: sp.csr_matrix  # [B, V_d]
    pairs: NDArray[np.int64]  # [L, 2] rows of both

    @cached_property
    def linked(self) -> sp.csr_matrix:
        """`[A, B]`, true at the pairs."""
        shape = (self.queries.shape[0], self.documents.shape[0])
        return sp.csr_matrix((np.ones(len(self.pairs), bool), self.pairs.T), shape=shape)

    @classmethod
    def of(
        cls,
        entries: Iterable[tuple[str, str]],
        vocabularies: tuple[Vocabulary, Vocabulary],
        analysers: tuple[Tokens, Tokens],
    ) -> Links:
        """The entries (term, translation) that both vocabularies have words of; terms of the same words are one.

        Raises `DataError` where fewer than two entries have.
        """
        # A term stands for the set of its known words.
        terms: list[dict[tuple[int, ...], int]] = [{}, {}]
        pairs: dict[tuple[int, int], None] = {}
        count = 0
        for entry in entries:
            count += 1
            known = [
                tuple(sorted({vocabulary.places[word] for word in tokens(text) if word in vocabulary.places}))
                for text, vocabulary, tokens in zip(entry, vocabularies, analysers, strict=True)
            ]
            if all(known):
                first, second = (table.setdefault(words, len(table)) for table, words in zip(terms, known, strict=True))
                pairs[first, second] = None

        # Nothing to align by is a mistake in the table or its languages.
        if len(pairs) < 2:
            problem = f"{len(pairs)} of {count} entries of the term table have words of both vocabularies"
            raise DataError(
                problem, cure="give a table of these two languages in alignment.terms, or lower words.least"
            )
        rows = [_means(table, len(vocabulary)) for table, vocabulary in zip(terms, vocabularies, strict=True)]
        return cls(rows[0], rows[1], np.array(list(pairs), np.int64))


def _means(terms: dict[tuple[int, ...], int], words: int) -> sp.csr_matrix:
    """`[A, V]`, each term's words with equal weights that sum to 1."""
    data = [1 / len(term) for term in terms for _ in term]
    ends = np.cumsum([0, *map(len, terms)])
    return sp.csr_matrix((data, [word for term in terms for word in term], ends), shape=(len(terms), words))
