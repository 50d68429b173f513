"""Long pairs as several encoder rows: the document cut into balanced chunks, the query in front of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch


@dataclass(frozen=True)
class Chunks:
    """N rows of T tokens that hold P pairs, and where each pair's tokens lie in the rows laid end to end, `[N·T]`."""

    input_ids: Tensor  # [N, T]
    attention_mask: Tensor  # [N, T]
    token_type_ids: Tensor | None  # [N, T]
    pair: Tensor  # [N], whose chunk each row is
    counts: Tensor  # [P], chunks of each pair
    query_at: Tensor  # [P, Q], the query's tokens in the pair's first chunk
    query_mask: Tensor  # [P, Q]
    document_at: Tensor  # [P, D], the document's tokens over all of the pair's chunks
    document_mask: Tensor  # [P, D]

    def average(self, rows: Tensor) -> Tensor:
        """Each pair's mean over its chunks, `[P, …]` of `[N, …]`."""
        total = rows.new_zeros(len(self.counts), *rows.shape[1:]).index_add_(0, self.pair, rows)
        return total / self.counts.to(rows.dtype).view(-1, *[1] * (rows.ndim - 1))


def _within(spans: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The numbers 0 … width−1 for each span, and which of them lie within it, `[P, width]` both."""
    steps = torch.arange(width, device=spans.device).expand(len(spans), width)
    return steps, steps < (spans[:, 1] - spans[:, 0])[:, None]


def cut_into_chunks(batch: PairBatch, *, length: int, query_length: int, pad_id: int) -> Chunks:
    """Cut each pair into rows of at most `length` tokens: special tokens and query in all, document parts in turn.

    A document of L tokens that needs n chunks is cut at ⌊k·L/n⌋, so that its parts differ by one token at most; n
    depends on the pair alone. Of the query, the first `query_length` places are given, fewer are masked.
    """
    assert batch.query_spans is not None
    assert batch.document_spans is not None

    # [P]: how many chunks a pair needs. The tokens before `start` and from `stop` on are in every one of them.
    start, stop = batch.document_spans.unbind(dim=1)
    tokens = stop - start
    extra = batch.attention_mask.sum(dim=1) - tokens
    room = (length - extra).clamp(min=1)
    counts = ((tokens + room - 1) // room).clamp(min=1)

    # [N]: of each row, its pair, and the bounds of its part within the document.
    first = counts.cumsum(0) - counts  # [P], each pair's first row
    pair = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    number = torch.arange(len(pair), device=counts.device) - first[pair]
    begin = number * tokens[pair] // counts[pair]
    end = (number + 1) * tokens[pair] // counts[pair]

    # [N, T]: where in its pair each of a row's tokens stands: before the document, in its part, or behind the document.
    sizes = end - begin + extra[pair]
    column = torch.arange(int(sizes.max()), device=counts.device)[None]
    part_end = (start[pair] + end - begin)[:, None]
    source = column + torch.where(column < start[pair][:, None], 0, begin[:, None])
    source = torch.where(column < part_end, source, column - part_end + stop[pair][:, None])
    real = column < sizes[:, None]
    source = torch.where(real, source, 0)
    types = batch.token_type_ids
    types = None if types is None else torch.where(real, types[pair[:, None], source], 0)

    # [P, Q]: the query is in every row; it is read from the first.
    width = column.shape[1]
    steps, query_mask = _within(batch.query_spans, query_length)
    query_at = torch.where(query_mask, first[:, None] * width + batch.query_spans[:, :1] + steps, 0)

    # [P, D]: the document is put together again over them.
    document_at, document_mask = _document_places(batch.document_spans, counts, first, width)
    return Chunks(
        torch.where(real, batch.input_ids[pair[:, None], source], pad_id),
        real.long(),
        types,
        pair,
        counts,
        query_at,
        query_mask,
        document_at,
        document_mask,
    )


def _document_places(spans: Tensor, counts: Tensor, first: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Where the tokens of documents lie in the rows laid end to end, and which there are, `[P, D]` both.

    `counts` `[P]` chunks of each pair, of which `first` `[P]` is the first row, `width` tokens to a row.
    """
    tokens = spans[:, 1] - spans[:, 0]
    steps, mask = _within(spans, max(1, int(tokens.max())))

    # Token i is in the last chunk k that begins, at ⌊k·L/n⌋, at or before it.
    many = counts[:, None]
    size = tokens[:, None].clamp(min=1)
    holder = ((steps + 1) * many - 1) // size
    inside = spans[:, :1] + steps - holder * size // many
    return torch.where(mask, (first[:, None] + holder) * width + inside, 0), mask
