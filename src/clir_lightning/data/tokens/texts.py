"""Single stored texts as padded token ids: special tokens, an optional prefix, a length of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.tokens.pairs import ragged
from clir_lightning.data.tokens.table import TokenTable
from clir_lightning.data.tokens.transfer import moved, sent
from clir_lightning.errors import ConfigError

Ints = NDArray[np.int64]
Side = Literal["query", "document"]


@dataclass(frozen=True)
class Texts:
    """N texts, padded to the longest of them: what an encoder reads."""

    input_ids: Tensor  # [N, T]
    attention_mask: Tensor  # [N, T]
    token_type_ids: Tensor | None  # [N, T]
    lengths: tuple[int, ...] = ()  # N, tokens of each, which no device need be asked for

    def __len__(self) -> int:
        return len(self.input_ids)

    def changed(self, change: Callable[[Tensor], Tensor], lengths: tuple[int, ...] | None = None) -> Texts:
        """Texts of changed tensors."""
        types = None if self.token_type_ids is None else change(self.token_type_ids)
        kept = self.lengths if lengths is None else lengths
        return Texts(change(self.input_ids), change(self.attention_mask), types, kept)

    def to(self, device: torch.device) -> Texts:
        """The same texts on another device; on a GPU they are there for what is computed after it."""
        return self.changed(lambda tensor: moved(tensor, device))

    def pin_memory(self) -> Texts:
        """The same texts in memory that a GPU can copy from by itself."""
        return self.changed(Tensor.pin_memory)

    def rows(self, places: Ints) -> Texts:
        """The texts at these places, `[N]`."""
        there = sent(places, self.input_ids.device)
        lengths = lengths_of(self)
        return self.changed(lambda tensor: tensor[there], tuple(lengths[place] for place in places.tolist()))

    def parts(self, size: int) -> Iterator[Texts]:
        """The texts in their order, `size` at a time, each part padded to its own longest."""
        lengths = lengths_of(self)
        for start in range(0, len(self), size):
            yield self._between(slice(start, start + size), lengths)

    def _between(self, rows: slice, lengths: tuple[int, ...]) -> Texts:
        width = max(lengths[rows])
        return self.changed(lambda tensor: tensor[rows, :width], lengths[rows])


class Padded(Protocol):
    """Rows of tokens that are padded to the right, `[N, T]`."""

    @property
    def attention_mask(self) -> Tensor: ...  # noqa: D102

    @property
    def lengths(self) -> tuple[int, ...]: ...  # noqa: D102


def lengths_of(rows: Padded) -> tuple[int, ...]:
    """Tokens of each row, N; asked of the device where the rows were made without them."""
    return rows.lengths or tuple(rows.attention_mask.sum(dim=1).tolist())


@dataclass(frozen=True)
class TextTemplate:
    """The tokens around a single text, `before text after`, the prefix's among those before.

    BERT: `[CLS] prefix text [SEP]`. The tokens of prefix and text are those of each alone, which for tokenizers that
    split at spaces are the tokens of both in one string; `check` finds out.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    segments: bool
    pad_id: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, prefix: str = "") -> TextTemplate:
        """Probe `tokenizer` with a word."""
        encoded = tokenizer("a")
        sides: list[int | None] = encoded.sequence_ids(0)
        ids: Sequence[int] = encoded["input_ids"]
        first = sides.index(0)
        end = len(sides) - sides[::-1].index(0)
        lead = tokenizer(prefix.strip(), add_special_tokens=False)["input_ids"] if prefix.strip() else []
        pad_id = int(tokenizer.pad_token_id)
        return cls((*ids[:first], *lead), tuple(ids[end:]), "token_type_ids" in encoded, pad_id)

    @property
    def specials(self) -> int:
        """Number of tokens around a text."""
        return len(self.before) + len(self.after)

    def differing(self, tokenizer: PreTrainedTokenizerBase, prefix: str, texts: Sequence[str]) -> int:
        """How many of `texts` the tokenizer itself would encode otherwise with the prefix before them."""
        own = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        whole = tokenizer([prefix + text for text in texts])["input_ids"] if texts else []
        return sum([*self.before, *ids, *self.after] != both for ids, both in zip(own, whole, strict=True))


def side_lengths(max_length: int, query_length: int | None, document_length: int | None) -> dict[Side, int]:
    """The tokens that queries and documents apart are cut to, special ones and prefix included; `None` cuts neither
    before `max_length`, which is a document's.

    >>> side_lengths(256, 64, None)
    {'query': 64, 'document': 256}
    """
    return {"query": query_length or max_length, "document": min(document_length or max_length, max_length)}


@dataclass(frozen=True)
class TextAssembler:
    """Gives texts, by their rows in the token store, as at most `max_length` tokens, special ones included."""

    table: TokenTable
    template: TextTemplate
    max_length: int

    def __post_init__(self) -> None:
        if self.max_length <= self.template.specials:
            raise ConfigError(
                f"a length of {self.max_length} leaves no room for a text beside {self.template.specials} special and "
                f"prefix tokens; raise it to {self.template.specials + 1} or more"
            )

    def lengths(self, rows: Ints) -> Ints:
        """Tokens of each text, special ones included, after the cut, `[N]`."""
        total: Ints = np.minimum(self.table.lengths(rows) + self.template.specials, self.max_length)
        return total

    def is_cut(self, rows: Ints) -> NDArray[np.bool_]:
        """Whether each text loses tokens to `max_length`, `[N]`."""
        return self.table.lengths(rows) + self.template.specials > self.max_length

    def cut_share(self) -> float:
        """Share of all texts of the store that lose tokens."""
        return float(self.is_cut(np.arange(len(self.table.offsets) - 1)).mean())

    def texts(self, rows: Ints) -> Texts:
        """The texts in these rows, all at once by index arithmetic on the token store."""
        template = self.template
        lengths = self.lengths(rows)

        # All rows end to end, N · T cells: row i starts at cell i · T, its text behind the tokens before it.
        count = len(rows)
        width = int(lengths.max(initial=0))
        ids = np.full(count * width, template.pad_id, np.int64)
        base = np.arange(count) * width
        start = base + len(template.before)
        kept = lengths - template.specials

        # Special and prefix tokens are the same in every row: one assignment for each.
        for place, tokens in ((base, template.before), (start + kept, template.after)):
            for step, token in enumerate(tokens):
                ids[place + step] = token

        # Texts are ragged: the cells of all rows at once.
        if count:
            ids[ragged(start, kept)] = self.table.ids[ragged(np.asarray(self.table.offsets[rows]), kept)]

        # As a table [N, T] again, with its mask.
        mask = (np.arange(width) < lengths[:, None]).astype(np.int64)
        cells = ids.reshape(count, width)
        types = torch.zeros(count, width, dtype=torch.long) if template.segments else None
        return Texts(torch.from_numpy(cells), torch.from_numpy(mask), types, tuple(lengths.tolist()))
