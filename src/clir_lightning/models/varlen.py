"""Attention within rows that lie end to end without padding, on a GPU: the fastest kernel that can compute it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from inspect import signature
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

HALF = (torch.float16, torch.bfloat16)
AMPERE = (8, 0)  # the first GPUs that FlashAttention is written for
WIDEST = 256  # numbers of a head that it takes


class Bounds(Protocol):
    """What attention needs to know of the rows; `models.unpadded.Layout` does."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each of the N rows, known on the host."""
        ...

    @property
    def bounds(self) -> Tensor:
        """Each row's first token, and M at the end, `[N + 1]` int32."""
        ...


@lru_cache(maxsize=1)
def installed() -> frozenset[str]:
    """The kernels for rows without padding that are there: `torch` (2.11 or newer), `flash_attn`."""
    found = set()
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:  # a build of torch without it
        pass
    else:
        if {"scale", "window_size"} <= signature(varlen_attn).parameters.keys():
            found.add("torch")
    if find_spec("flash_attn") is not None:
        found.add("flash_attn")
    return frozenset(found)


def kernel(
    dtype: torch.dtype,
    capability: tuple[int, int] | None,
    *,
    width: int,
    dropout: float,
    window: bool,
    there: frozenset[str],
) -> str:
    """The name in `KERNELS` of what computes an attention.

    Flash kernels want half precision, and torch's public one has no dropout. `jagged` tensors have torch choose: its
    flash kernel with dropout, its memory-efficient one in 32 bits; they have no window. `padded` computes all.

    Args:
        dtype: what is computed in.
        capability: the GPU's; `None` for a CPU.
        width: numbers of a head.
        dropout: of the attention weights.
        window: whether a token sees only those near it.
        there: what is installed.

    >>> kernel(torch.bfloat16, (9, 0), width=64, dropout=0.0, window=True, there=frozenset({"torch"}))
    'torch'
    """
    flash = capability is not None and capability >= AMPERE and dtype in HALF and width <= WIDEST
    if flash and "torch" in there and not dropout and width % 8 == 0:
        return "torch"
    if flash and "flash_attn" in there:
        return "flash_attn"
    if capability is not None and not window and width % 8 == 0:
        return "jagged"
    return "padded"


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Bounds,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    window: int | None = None,
) -> Tensor:
    """softmax(q·k · scaling) v within each row, `[M, heads, width]` of queries, keys and values of that shape.

    Args:
        query, key, value: of all rows' M tokens end to end.
        layout: where the rows begin.
        dropout: share of the attention weights that are dropped; 0 outside of training.
        scaling: `None` for 1 / √width.
        window: a token sees those at most this many places away; `None` for its whole row.
    """
    if not len(query):
        return query

    # Under autocasting a rotary embedding may have left some of the three in 32 bits.
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else value.dtype
    query, key, value = (tensor.to(dtype) for tensor in (query, key, value))

    # What this device and build have that can compute it.
    capability = torch.cuda.get_device_capability(query.device) if query.is_cuda else None
    chosen = kernel(
        dtype,
        capability,
        width=query.shape[-1],
        dropout=dropout,
        window=window is not None,
        there=installed(),
    )
    return KERNELS[chosen](query, key, value, layout, dropout, scaling, window)


def _torch(
    query: Tensor, key: Tensor, value: Tensor, layout: Bounds, dropout: float, scaling: float | None, window: int | None
) -> Tensor:
    """`torch.nn.attention.varlen`; untested here for want of a GPU, `make gpu-check` does."""
    from torch.nn.attention.varlen import varlen_attn

    longest = max(layout.lengths)
    sides = (-1, -1) if window is None else (window, window)
    bounds = layout.bounds
    states: Any = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scaling, window_size=sides)
    return states  # type: ignore[no-any-return]  # a pair only where more is asked for


def _flash_attn(
    query: Tensor, key: Tensor, value: Tensor, layout: Bounds, dropout: float, scaling: float | None, window: int | None
) -> Tensor:
    """The package flash-attn; untested here for want of a GPU, `make gpu-check` does where it is installed."""
    from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]

    longest = max(layout.lengths)
    sides = (-1, -1) if window is None else (window, window)
    bounds = layout.bounds
    states: Tensor = flash_attn_varlen_func(
        query, key, value, bounds, bounds, longest, longest, dropout_p=dropout, softmax_scale=scaling, window_size=sides
    )
    return states


def _jagged(
    query: Tensor, key: Tensor, value: Tensor, layout: Bounds, dropout: float, scaling: float | None, window: int | None
) -> Tensor:
    """torch's nested tensors, whose shortest and longest row it need not ask the device for."""
    offsets = layout.bounds.long()
    shortest = min(layout.lengths)
    longest = max(layout.lengths)

    def ragged(each: Tensor) -> Tensor:
        """`[N, heads, row's own length, width]` of `[M, heads, width]`."""
        rows = torch.nested.nested_tensor_from_jagged(each, offsets, min_seqlen=shortest, max_seqlen=longest)
        return rows.transpose(1, 2)

    states = scaled_dot_product_attention(ragged(query), ragged(key), ragged(value), dropout_p=dropout, scale=scaling)
    together: Tensor = states.transpose(1, 2).values()
    return together


def _padded(
    query: Tensor, key: Tensor, value: Tensor, layout: Bounds, dropout: float, scaling: float | None, window: int | None
) -> Tensor:
    """Rows padded to the longest, masked attention, and the padding left out again."""
    # Where each token lies in the padded rows laid end to end: [M] of N·T.
    count = len(layout.lengths)
    longest = max(layout.lengths, default=0)
    tokens = torch.arange(len(query), device=query.device)
    rows = torch.bucketize(tokens, layout.bounds[1:], right=True)
    places = rows * longest + tokens - layout.bounds[rows]

    # Which keys a query sees, [N, 1, 1 or T, T]; a window is about each query's own place.
    place = torch.arange(longest, device=query.device)
    seen = (place < layout.bounds.diff()[:, None])[:, None, None]
    if window is not None:
        near = (place[:, None] - place[None, :]).abs() <= window
        seen = seen & near | (place[:, None] == place[None, :])  # padding sees itself: no softmax of nothing

    def table(each: Tensor) -> Tensor:
        """`[N, heads, T, width]` of `[M, heads, width]`."""
        padded = each.new_zeros(count * longest, *each.shape[1:]).index_copy(0, places, each)
        return padded.view(count, longest, *each.shape[1:]).transpose(1, 2)

    states = scaled_dot_product_attention(
        table(query), table(key), table(value), attn_mask=seen, dropout_p=dropout, scale=scaling
    )
    return states.transpose(1, 2).reshape(count * longest, *query.shape[1:])[places]


Compute = Callable[[Tensor, Tensor, Tensor, Bounds, float, float | None, int | None], Tensor]
KERNELS: dict[str, Compute] = {"torch": _torch, "flash_attn": _flash_attn, "jagged": _jagged, "padded": _padded}
