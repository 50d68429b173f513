"""An encoder over rows that lie end to end: through transformers' model, or through the faster layers of a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clir_lightning.models.fused import FusedStack, See, can_fuse
from clir_lightning.models.unpadded import Layout, TokenRows, positions


class EndToEnd:
    """States of unpadded rows.

    Args:
        model: transformers' model, with the attention that `models.unpadded` registers.
        takes_types: whether it reads segment ids.
    """

    def __init__(self, model: Any, *, takes_types: bool) -> None:
        self.model = model
        self.takes_types = takes_types
        self._fused: tuple[Any, FusedStack] | None = None

    def __call__(self, rows: TokenRows, layout: Layout, *, first_only: bool = False, see: See | None = None) -> Tensor:
        """States `[M, H]` of the rows' tokens, or `[N, H]` of their first ones, as the rows lie.

        `see` is shown the levels' states where `fused` computes them; elsewhere hooks see them.
        """
        ids = layout.take(rows.input_ids)
        places = positions(layout, rows, self.model.config)
        types = layout.take(rows.token_type_ids) if self.takes_types and rows.token_type_ids is not None else None
        fused = self.fused(ids.device)
        if fused is not None:
            return fused(ids, places, types, layout, first_only=first_only, see=see)

        # As a single row of transformers' model, whose attention is told where the rows end.
        kinds = {} if types is None else {"token_type_ids": types[None]}
        output = self.model(input_ids=ids[None], position_ids=places[None], **kinds, layout=layout)
        states: Tensor = output.last_hidden_state[0]
        return layout.firsts(states) if first_only else states

    def fused(self, device: torch.device) -> FusedStack | None:
        """The faster layers, where nothing is learnt on a CPU and they can be had; made anew when weights changed."""
        if torch.is_grad_enabled() or self.model.training or device.type != "cpu":
            return None
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        weights = list(self.model.parameters())
        if not can_fuse(self.model.config, dtype) or any(map(torch.is_inference, weights)):
            return None

        # A change in place tells by its version, but not one through `data`: for that passes begin with `forget`.
        state = (dtype, [(weight.data_ptr(), weight._version) for weight in weights])
        if self._fused is None or self._fused[0] != state:
            self._fused = (state, FusedStack(self.model, dtype))
        return self._fused[1]

    def forget(self) -> None:
        """Drop the copy of the weights."""
        self._fused = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fused": None}
