"""BERT and XLM-R on a CPU, for scoring: unpadded rows through oneDNN's products with what follows them fused in.

transformers' layers make a pass over memory for each bias, GELU, sum and change of precision, and under autocasting
copy weights between precisions; with the products that a CPU's matrix units make, those passes take most of the time.
Here a linear layer and what comes behind it are one call on weights that lie as oneDNN wants them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from transformers import PretrainedConfig

from clir_lightning.models.unpadded import Layout, attend

FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")  # the layers of all of them are BERT's
See = Callable[[int, Tensor], None]
ops: Any = torch.ops.mkldnn


def can_fuse(config: PretrainedConfig, dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch has what the layers of this family need, in this precision."""
    if config.model_type not in FAMILIES or config.hidden_act != "gelu" or not torch._C._has_mkldnn:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(ops._is_mkldnn_bf16_supported()))


class FusedLinear:
    """x ↦ x·Wᵀ + b of one or several linear layers side by side, in a precision, then perhaps GELU or a sum."""

    def __init__(self, *layers: nn.Linear, dtype: torch.dtype) -> None:
        weight = torch.cat([layer.weight.detach() for layer in layers]).to(dtype)
        self.weight = ops._reorder_linear_weight(weight.contiguous(), None)
        self.bias = torch.cat([layer.bias.detach() for layer in layers]).to(dtype)

    def __call__(self, states: Tensor, *, gelu: bool = False) -> Tensor:
        """`[M, out]` of `[M, in]`."""
        found: Tensor = ops._linear_pointwise(states, self.weight, self.bias, "gelu" if gelu else "none", [], "none")
        return found

    def plus(self, states: Tensor, others: Tensor) -> Tensor:
        """The same with `others` `[M, out]` added."""
        found: Tensor = ops._linear_pointwise.binary(states, others, self.weight, self.bias, "add")
        return found


@dataclass(frozen=True)
class FusedLayer:
    """One transformer layer of BERT's kind: attention, then feed-forward, each summed with its input and normalised."""

    attention: FusedLinear  # query, key and value side by side, [3·H, H]
    output: FusedLinear
    attention_norm: nn.LayerNorm
    inner: FusedLinear
    outer: FusedLinear
    norm: nn.LayerNorm
    heads: int

    @classmethod
    def of(cls, layer: Any, heads: int, dtype: torch.dtype) -> FusedLayer:
        """From transformers' layer."""
        three = layer.attention.self
        return cls(
            FusedLinear(three.query, three.key, three.value, dtype=dtype),
            FusedLinear(layer.attention.output.dense, dtype=dtype),
            layer.attention.output.LayerNorm,
            FusedLinear(layer.intermediate.dense, dtype=dtype),
            FusedLinear(layer.output.dense, dtype=dtype),
            layer.output.LayerNorm,
            heads,
        )

    def __call__(self, states: Tensor, layout: Layout, *, first_only: bool = False) -> Tensor:
        """States `[M, H]` of states `[M, H]`; of each row's first token alone, `[N, H]`, with `first_only`."""
        width = states.shape[1] // self.heads
        query, key, value = self.attention(states).view(len(states), 3, self.heads, width).unbind(dim=1)

        # What follows attention goes token by token: for one token of a row where no other is asked for.
        scaling = width**-0.5
        if first_only:
            attended = attend_first(query, key, value, layout, scaling=scaling)
            states = layout.firsts(states)
        else:
            attended = attend(query, key, value, layout, scaling=scaling)
        states = _normalised(self.output.plus(attended.reshape(len(states), -1), states), self.attention_norm)
        return _normalised(self.outer.plus(self.inner(states, gelu=True), states), self.norm)


def attend_first(query: Tensor, key: Tensor, value: Tensor, layout: Layout, *, scaling: float) -> Tensor:
    """`unpadded.attend` for each row's first token alone, `[N, heads, width]`, as the rows lie."""
    alone = layout.firsts(query.flatten(1)).view(-1, *query.shape[1:])  # [N, heads, width]
    counts = [count for count, _ in layout.groups]

    # R rows of T tokens each: one product with all keys, one with all values.
    split = (torch.split(alone, counts), torch.split(key, layout.sizes), torch.split(value, layout.sizes))
    parts = zip(layout.groups, *split, strict=True)
    found = []
    for (count, length), first, keys, values in parts:
        keys = keys.view(count, length, *key.shape[1:])
        values = values.view(count, length, *value.shape[1:])
        weights = torch.einsum("rhw,rthw->rht", first * scaling, keys).softmax(dim=-1)
        found.append(torch.einsum("rht,rthw->rhw", weights, values))
    return torch.cat(found) if found else alone


def _normalised(states: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Layer normalisation, whose sums are taken in 32 bits whatever the states are in."""
    return layer_norm(states, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


class FusedStack:
    """A whole encoder as it is now, weights copied: what is trained on afterwards it does not see.

    Args:
        model: transformers' model, of one of `FAMILIES`.
        dtype: what the layers compute in, `can_fuse` allowing; embeddings are summed in 32 bits.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.embeddings = model.embeddings
        heads = model.config.num_attention_heads
        self.layers = [FusedLayer.of(layer, heads, dtype) for layer in model.encoder.layer]

    def __call__(
        self,
        ids: Tensor,
        positions: Tensor,
        types: Tensor | None,
        layout: Layout,
        *,
        first_only: bool = False,
        see: See | None = None,
    ) -> Tensor:
        """States `[M, H]` of the last layer.

        Args:
            ids, positions, types: of the tokens, `[M]`; no types stand for 0.
            layout: of the rows.
            first_only: give each row's first state alone, `[N, H]` as the rows lie.
            see: is shown the states of each level but the last: 0 the embeddings, 1 the first layer, ….
        """
        # Precisions are the layers' own affair, whatever surrounds them.
        with torch.autocast("cpu", enabled=False):
            types = torch.zeros_like(ids) if types is None else types
            embedded = self.embeddings(input_ids=ids[None], position_ids=positions[None], token_type_ids=types[None])
            states: Tensor = embedded[0].to(self.dtype)

            # [M, H] from layer to layer, [N, H] out of the last one where the first tokens are all that is asked for.
            last = len(self.layers) - 1
            for level, layer in enumerate(self.layers):
                if see is not None:
                    see(level, states)
                states = layer(states, layout, first_only=first_only and level == last)
        return states
