"""The names of a composed configuration's settings: those that it lists, and those that its targets take besides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import parameters


def inner(node: Any, name: str) -> Any:
    """What a dotted name holds in a configuration; `None` where there is no such name or it has no value."""
    for part in name.split(".") if name else ():
        if not OmegaConf.is_dict(node) or part not in node.keys():  # noqa: SIM118  without a value, none is `in`
            return None
        node = node._get_node(part)
    if not OmegaConf.is_config(node):
        return None if node is None else node._value()
    return None if node._is_none() or node._is_missing() or node._is_interpolation() else node


def there(config: Any, name: str) -> bool:
    """Whether a dotted name is in a configuration."""
    above, _, last = name.rpartition(".")
    node = inner(config, above)
    if OmegaConf.is_list(node):
        return last.isdecimal() and int(last) < len(node)
    return OmegaConf.is_dict(node) and last in node.keys()  # noqa: SIM118


def parameters_at(config: DictConfig, name: str) -> list[str]:
    """What the node around a setting takes by its `_target_`, whether the configuration lists it or not."""
    node = inner(config, name.rpartition(".")[0])
    return parameters(node) if isinstance(node, DictConfig) and "_target_" in node else []


def listed(node: Any, above: str = "", *, parts: bool) -> Iterator[str]:
    """The dotted names of nested settings, and of the parts that hold them at the top."""
    for key in node:
        within = inner(node, str(key))
        if OmegaConf.is_dict(within):
            yield from listed(within, f"{above}{key}.", parts=False)
        if not str(key).startswith("_") and (parts or not OmegaConf.is_dict(within)):
            yield f"{above}{key}"


def further(node: Any, above: str = "") -> Iterator[str]:
    """The dotted names of what nested targets take."""
    if "_target_" in node:
        yield from (f"{above}{name}" for name in parameters(node))
    for key in node:
        within = inner(node, str(key))
        if key != "hydra" and OmegaConf.is_dict(within):
            yield from further(within, f"{above}{key}.")
