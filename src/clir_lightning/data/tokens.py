"""Texts as token ids, tokenised once, and pairs of them assembled as the Hugging Face tokenizer would.

Tokenising belongs here, before training; nothing is tokenised in `forward`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from clir_lightning.errors import ConfigError
from clir_lightning.types import Document, Query


@dataclass(frozen=True)
class TokenTable:
    """The token ids of many texts, end to end; `table[text_id]` is one text's ids, without special tokens."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    rows: Mapping[str, int]

    def __getitem__(self, text_id: str) -> NDArray[np.int32]:
        row = self.rows[text_id]
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def length(self, text_id: str) -> int:
        """Number of tokens of a text."""
        row = self.rows[text_id]
        return int(self.offsets[row + 1] - self.offsets[row])


def tokenise(
    records: Mapping[str, Query] | Mapping[str, Document],
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str,
    chunk: int = 4096,
) -> TokenTable:
    """Tokenise every record's text once, with a progress bar called `name`."""
    texts = [record.text for record in records.values()]
    rows: list[list[int]] = []
    with tqdm(total=len(texts), desc=f"tokenising {name}", unit=" texts", leave=False) as bar:
        for start in range(0, len(texts), chunk):
            part = texts[start : start + chunk]
            encoded = tokenizer(part, add_special_tokens=False, truncation=False, verbose=False)
            rows.extend(encoded["input_ids"])
            bar.update(len(part))
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    ids = np.fromiter((token for row in rows for token in row), np.int32, int(offsets[-1]))
    return TokenTable(ids, offsets, {text_id: row for row, text_id in enumerate(records)})


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
        first, second = sides.index(0), sides.index(1)
        end_first = len(sides) - sides[::-1].index(0)
        end_second = len(sides) - sides[::-1].index(1)
        cuts = [0, first, end_first, second, end_second, len(ids)]
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

    def join(
        self, query: NDArray[np.int32], document: NDArray[np.int32], max_length: int
    ) -> tuple[list[int], list[int] | None]:
        """Token ids and segment ids of one pair of at most `max_length` tokens; only the document is cut."""
        document = document[: self.room(len(query), max_length)]
        ids = [*self.before, *query.tolist(), *self.between, *document.tolist(), *self.after]
        if self.segments is None:
            return ids, None
        lengths = (len(self.before), len(query), len(self.between), len(document), len(self.after))
        return ids, [segment for segment, length in zip(self.segments, lengths, strict=True) for _ in range(length)]
