"""Rows without padding: the tokens of all rows lie end to end, and attention stays within each row.

Every layer but attention treats tokens one by one, so padding in between only costs time. Attention is computed in
groups of rows of equal length on a CPU, and by a kernel that knows the rows' bounds on a GPU; both are exact, with the
positions and segment ids that each row has in a padded batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from clir_lightning.data.tokens.transfer import sent
from clir_lightning.models.varlen import attend as attend_on_gpu

NAME = "clir_unpadded"  # of the attention, in transformers
# How a family numbers positions: by column, or as RoBERTa does, behind the padding id and without tokens that have it.
BY_COLUMN = ("bert", "electra", "modernbert")
COUNTED = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert")


class TokenRows(Protocol):
    """Padded rows of token ids, `[N, T]` each, padding to the right: a batch, or what an architecture makes of one.

    Where they have `lengths`, N numbers of tokens, a device need not be asked for them.
    """

    @property
    def input_ids(self) -> Tensor: ...  # noqa: D102

    @property
    def attention_mask(self) -> Tensor: ...  # noqa: D102

    @property
    def token_type_ids(self) -> Tensor | None: ...  # noqa: D102


@dataclass(frozen=True)
class Layout:
    """Where the M tokens of N padded rows of T cells lie when the longest row comes first and padding is left out."""

    shape: tuple[int, int]  # N, T
    lengths: tuple[int, ...]  # tokens of each row, in the order in which the rows lie
    order: Tensor  # [N] the row of the batch that each of them is
    places: Tensor  # [M] each token's cell among all cells end to end, N · T
    bounds: Tensor  # [N + 1] int32: where each row begins, and M

    @classmethod
    def of(cls, rows: TokenRows) -> Layout:
        """The layout of padded rows. Raises `ValueError` for padding that is not to the right."""
        count, width = rows.input_ids.shape
        device = rows.input_ids.device
        lengths = np.array(_lengths(rows), np.int64)

        # [N] rows by length and where each begins; [M] the cells of their tokens.
        order = np.argsort(-lengths, kind="stable")
        sizes = lengths[order]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(order * width - bounds[:-1], sizes)
        places = np.arange(bounds[-1]) + shift

        return cls(
            (count, width),
            tuple(sizes.tolist()),
            sent(order, device),
            sent(places, device),
            sent(bounds.astype(np.int32), device),
        )

    @cached_property
    def groups(self) -> list[tuple[int, int]]:
        """Rows of equal length that lie next to each other: how many, and how long they are; every layer asks."""
        return [(len(list(same)), length) for length, same in groupby(self.lengths) if length]

    @cached_property
    def sizes(self) -> list[int]:
        """The tokens of each group."""
        return [count * length for count, length in self.groups]

    def take(self, cells: Tensor) -> Tensor:
        """The tokens' values `[M]` of a padded `[N, T]`."""
        return cells.reshape(-1)[self.places]

    def padded(self, states: Tensor) -> Tensor:
        """The states `[M, H]` as `[N, T, H]`, zeros where there is padding."""
        count, width = self.shape
        if len(states) == count * width:
            return states.view(count, width, -1)
        cells = states.new_zeros(count * width, states.shape[1])
        return cells.index_copy(0, self.places, states).view(count, width, -1)

    def in_order(self, rows: Tensor) -> Tensor:
        """`[N, …]`, one for each row as they lie, in the batch's order."""
        return torch.empty_like(rows).index_copy(0, self.order, rows)

    def firsts(self, states: Tensor) -> Tensor:
        """Each row's first state, `[N, H]` of `[M, H]`, as the rows lie."""
        return states[self.bounds[:-1].long()]


def _lengths(rows: TokenRows) -> Sequence[int]:
    """The tokens of each row, from the host's memory where the rows bring them."""
    known: Sequence[int] = getattr(rows, "lengths", ())
    if known or not len(rows.input_ids):
        return known
    mask = rows.attention_mask
    if mask.shape[1] and bool((mask[:, 1:] > mask[:, :-1]).any()):
        raise ValueError("rows of tokens must be padded to the right alone")
    return mask.sum(dim=1).tolist()


def has_positions(config: PretrainedConfig) -> bool:
    """Whether it is known how this family numbers the positions of a row, so that rows can lie end to end."""
    return config.model_type in (*BY_COLUMN, *COUNTED) and not getattr(config, "is_decoder", False)


def positions(layout: Layout, rows: TokenRows, config: PretrainedConfig) -> Tensor:
    """The position `[M]` that each token has in its padded row.

    RoBERTa's descendants leave out every token with the padding's id, one that stands in a text by its name included.
    """
    if config.model_type in BY_COLUMN:
        return layout.places % layout.shape[1]
    padding: int = config.pad_token_id
    token = (rows.input_ids != padding).long()
    return layout.take(token.cumsum(dim=1) * token + padding)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    *,
    dropout: float = 0.0,
    scaling: float,
    window: int | None = None,
) -> Tensor:
    """Attention of each row's tokens to that row's alone, `[M, heads, width]` as all three are.

    Args:
        query, key, value: of the tokens of all rows.
        layout: where rows begin and end.
        dropout: share of the attention weights that is left out.
        scaling: factor on the products.
        window: how far apart two tokens may be at most; `None` for no such bound.
    """
    if query.is_cuda:
        return attend_on_gpu(query, key, value, layout, dropout=dropout, scaling=scaling, window=window)

    # Split and not sliced: the gradients of slices would each be as large as the whole.
    queries, keys, values = (torch.split(tensor, layout.sizes) for tensor in (query, key, value))

    # Each group of R rows of T tokens as [R, heads, T, width].
    found = []
    for number, (count, length) in enumerate(layout.groups):
        near = None if window is None or length <= window + 1 else _near(length, window, query.device)
        attended = _attend_alike(
            *(part[number].view(count, length, *query.shape[1:]).transpose(1, 2) for part in (queries, keys, values)),
            near=near,
            dropout=dropout,
            scaling=scaling,
        )
        found.append(attended.transpose(1, 2).reshape(count * length, *query.shape[1:]))
    return torch.cat(found) if found else query


def _near(length: int, window: int, device: torch.device) -> Tensor:
    """Which of a row's tokens are within the window of which, `[T, T]`."""
    place = torch.arange(length, device=device)
    return (place[:, None] - place[None]).abs() <= window


def _attend_alike(
    query: Tensor, key: Tensor, value: Tensor, *, near: Tensor | None, dropout: float, scaling: float
) -> Tensor:
    """Attention `[R, heads, T, width]` of rows of equal length, each token to those `near` it, `[T, T]`, if given."""
    if not torch.is_grad_enabled():
        return scaled_dot_product_attention(query, key, value, attn_mask=near, scale=scaling)

    # The gradients of PyTorch's fused kernel are slow on a CPU for texts as short as ours.
    weights = (query * scaling) @ key.transpose(2, 3)
    if near is not None:
        weights = weights.masked_fill(~near, -torch.inf)
    return drop(weights.softmax(dim=-1), dropout, training=dropout > 0) @ value


def _of_transformers(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """As transformers calls an attention: `[1, heads, M, width]` in, `[1, M, heads, width]` out.

    Without a layout the rows are padded as everywhere, for whoever calls the model by itself.
    """
    if layout is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)

    # transformers counts the token itself among those of a window.
    window = settings.get("sliding_window")
    attended = attend(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        layout,
        dropout=settings.get("dropout", 0.0),
        scaling=settings.get("scaling") or query.shape[-1] ** -0.5,
        window=None if window is None else window - 1,
    )
    return attended[None], None


AttentionInterface.register(NAME, _of_transformers)
AttentionMaskInterface.register(NAME, sdpa_mask)
