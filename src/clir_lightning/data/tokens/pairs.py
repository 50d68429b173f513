"""Pairs of stored texts as padded token ids, equal to the Hugging Face tokenizer's own encoding of the pair."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.tokens.table import TokenTable
from clir_lightning.errors import ConfigError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PairTemplate:
    """The special tokens around a pair, `before q between d after`, and the segment ids, read off a tokenizer.

    BERT: `[CLS] q [SEP] d [SEP]` with segments 0 and 1; XLM-R: `<s> q </s></s> d </s>` without segments.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    segments: tuple[int, int, int, int, int] | None  # before, query, between, document, after

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> PairTemplate:
        """Probe `tokenizer` with a pair of words."""
        encoded = tokenizer("a", "a")
        sides = encoded.sequence_ids(0)
        ids: Sequence[int] = encoded["input_ids"]

        # Where each of the five parts starts: before, first text, between, second text, after.
        first = sides.index(0)
        end_first = len(sides) - sides[::-1].index(0)
        second = sides.index(1)
        end_second = len(sides) - sides[::-1].index(1)
        cuts = [0, first, end_first, second, end_second, len(ids)]

        # The segment of each part, read off its first token.
        segments = None
        if "token_type_ids" in encoded:
            types = encoded["token_type_ids"]
            before, query, between, document, after = (
                types[start] if start < stop else 0 for start, stop in itertools.pairwise(cuts)
            )
            segments = (before, query, between, document, after)
        return cls(tuple(ids[:first]), tuple(ids[end_first:second]), tuple(ids[end_second:]), segments)

    @property
    def specials(self) -> int:
        """Number of special tokens around a pair."""
        return len(self.before) + len(self.between) + len(self.after)

    def room(self, query_length: int, max_length: int) -> int:
        """Tokens left for the document beside a query of that length; `ConfigError` if there are none."""
        room = max_length - self.specials - query_length
        if room < 1:
            raise ConfigError(
                f"a query of {query_length} tokens leaves no room for a document within max_length={max_length}; "
                f"raise max_length to {query_length + self.specials + 1} or more"
            )
        return room


@dataclass(frozen=True)
class Pairs:
    """N assembled pairs, padded to the longest of them."""

    input_ids: Ints  # [N, T]
    lengths: Ints  # [N]
    segments: Ints | None  # [N, T]
    query_spans: Ints  # [N, 2], first token and the one after the last
    document_spans: Ints  # [N, 2]

    @property
    def mask(self) -> Ints:
        """1 where there is a token, `[N, T]`."""
        return (np.arange(self.input_ids.shape[1]) < self.lengths[:, None]).astype(np.int64)


def ragged(starts: Ints, lengths: Ints) -> Ints:
    """The numbers `start, start + 1, …` of each range, end to end.

    >>> ragged(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    ends = np.cumsum(lengths)
    shifts: Ints = np.repeat(starts - (ends - lengths), lengths)
    return np.arange(len(shifts)) + shifts


@dataclass(frozen=True)
class PairAssembler:
    """Joins queries and documents, given by their rows, into pairs of at most `max_length` tokens.

    Only the document is cut, as `truncation="only_second"` does, unless `query_length` or `document_length` cut first.
    All rows of a call are joined at once, by index arithmetic on the token store.
    """

    queries: TokenTable
    documents: TokenTable
    template: PairTemplate
    pad_id: int
    max_length: int
    query_length: int | None = None
    document_length: int | None = None

    def _parts(self, query_rows: Ints, document_rows: Ints) -> tuple[Ints, Ints]:
        """Tokens that are kept of each pair's query and of its document, `[N]` both."""
        queries = self.queries.lengths(query_rows)
        if self.query_length is not None:
            queries = np.minimum(queries, self.query_length)
        room = self.max_length - self.template.specials - queries
        if len(room) and room.min() < 1:
            self.template.room(int(queries.max()), self.max_length)
        room = np.minimum(room, self.document_length or self.max_length)
        kept: Ints = np.minimum(self.documents.lengths(document_rows), room)
        return queries, kept

    def lengths(self, query_rows: Ints, document_rows: Ints) -> Ints:
        """Tokens of each pair, special ones included, after the cut, `[N]`."""
        queries, documents = self._parts(query_rows, document_rows)
        total: Ints = queries + documents + self.template.specials
        return total

    def is_cut(self, query_rows: Ints, document_rows: Ints) -> NDArray[np.bool_]:
        """Whether each pair loses tokens to `max_length`, `[N]`."""
        _, kept = self._parts(query_rows, document_rows)
        return kept < self.documents.lengths(document_rows)

    def join(self, query_rows: Ints, document_rows: Ints) -> Pairs:
        """The pairs of query `query_rows[i]` with document `document_rows[i]`."""
        template = self.template
        queries, documents = self._parts(query_rows, document_rows)  # tokens kept, [N] both

        # Where each part starts within its row, [N]: before (at 0), query, between, document, after; then the row ends.
        query_at = np.full(len(queries), len(template.before))
        between_at = query_at + queries
        document_at = between_at + len(template.between)
        after_at = document_at + documents
        lengths = after_at + len(template.after)

        # All rows end to end, N · T cells: row i starts at cell i · T.
        width = int(lengths.max(initial=0))
        ids = np.full(len(lengths) * width, self.pad_id, np.int64)
        base = np.arange(len(lengths)) * width

        # Special tokens are the same in every row: one assignment for each.
        for place, tokens in ((0 * base, template.before), (between_at, template.between), (after_at, template.after)):
            for step, token in enumerate(tokens):
                ids[base + place + step] = token

        # Texts are ragged: the cells of all rows' queries at once, then those of all documents.
        ids[ragged(base + query_at, queries)] = self._tokens(self.queries, query_rows, queries)
        ids[ragged(base + document_at, documents)] = self._tokens(self.documents, document_rows, documents)

        # As a table [N, T] again.
        return Pairs(
            ids.reshape(len(lengths), width),
            lengths,
            self._segments([query_at, between_at, document_at, after_at], lengths, width),
            query_spans=np.stack([query_at, between_at], axis=1),
            document_spans=np.stack([document_at, after_at], axis=1),
        )

    @staticmethod
    def _tokens(table: TokenTable, rows: Ints, sizes: Ints) -> NDArray[np.int32]:
        """The first `sizes[i]` tokens of the text in `rows[i]`, all texts end to end."""
        return table.ids[ragged(np.asarray(table.offsets[rows]), sizes)]

    def _segments(self, starts: Sequence[Ints], lengths: Ints, width: int) -> Ints | None:
        """Segment ids `[N, T]`, 0 at padding; `starts` are those of all parts but the first, each `[N]`."""
        if self.template.segments is None:
            return None
        first, *later = self.template.segments
        column = np.arange(width)
        segments = np.full((len(lengths), width), first, np.int64)

        # From left to right: each part overwrites all that is right of its start.
        for place, segment in zip(starts, later, strict=True):
            segments[column >= place[:, None]] = segment
        segments[column >= lengths[:, None]] = 0
        return segments
