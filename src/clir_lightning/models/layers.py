"""Where a transformer's layers, embeddings and positions are, whatever its family calls them."""

from __future__ import annotations

from torch import nn
from transformers import PretrainedConfig

from clir_lightning.errors import ConfigError


def layers_of(model: nn.Module, depth: int) -> nn.ModuleList:
    """The transformer layers, the lowest first; `ConfigError` where the model has no list of `depth` of them."""
    for part in model.modules():
        if isinstance(part, nn.ModuleList) and len(part) == depth:
            return part
    raise ConfigError(f"{type(model).__name__} has no list of {depth} layers; take an encoder of another family")


def levels(model: nn.Module, layers: nn.ModuleList) -> dict[int, int]:
    """The level of each parameter, by `id`: 0 the embeddings, 1 the first layer, …, the last for a norm behind it.

    Tables of relative positions and their norm, which DeBERTa and MPNet keep behind the layers, are embeddings.
    """
    found = {id(parameter): 0 for parameter in model.parameters()}
    for level, layer in enumerate(layers, 1):
        found.update((id(parameter), level) for parameter in layer.parameters())

    # What is defined behind the layers is computed after them, unless there is a table among it.
    siblings = next(list(part.children()) for part in model.modules() if layers in part.children())
    behind = siblings[siblings.index(layers) + 1 :]
    if not any(isinstance(part, nn.Embedding) for part in behind):
        found.update((id(parameter), len(layers)) for part in behind for parameter in part.parameters())
    return found


def positions_of(model: nn.Module) -> nn.Embedding | None:
    """The model's table of positions; `None` where positions are rotary or relative."""
    named = model.named_modules()
    tables = (part for name, part in named if isinstance(part, nn.Embedding) and name.endswith("position_embeddings"))
    return next(tables, None)


def longest_row(model: nn.Module, config: PretrainedConfig) -> int | None:
    """The most tokens that the model has positions for, special ones included; `None` where it does not tell.

    RoBERTa's descendants count positions from behind the padding index of their table. Without a table (rotary and
    relative positions) it is what the configuration says that the model was trained for.
    """
    table = positions_of(model)
    if table is not None:
        first = 0 if table.padding_idx is None else table.padding_idx + 1
        return table.num_embeddings - first
    told = getattr(config, "max_position_embeddings", None)
    return told if isinstance(told, int) and told > 0 else None
