"""Runs of one system: output folders whose settings differ by the seed alone, named by the settings that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ASIDE = ("seed", "logger", "hydra", "cache", "resume", "checkpoint_steps")  # not part of what a system is
ABSENT = "-"


def settings(config: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """A configuration as one level of dotted names, without those of `ASIDE`.

    A node with a `_target_` also stands for the name of its class, a node of such nodes for their names.

    >>> settings({"seed": 1, "loss": {"lce": {"_target_": "a.b.LCE", "weight": 0.5}}})
    {'loss': 'lce', 'loss.lce': 'LCE', 'loss.lce.weight': '0.5'}
    """
    flat = {}
    for key, value in config.items():
        name = f"{above}{key}"
        if key == "_target_":
            flat[above[:-1]] = str(value).rpartition(".")[2]
        elif key in ASIDE:
            continue
        elif isinstance(value, Mapping):
            if value and all(isinstance(node, Mapping) and "_target_" in node for node in value.values()):
                flat[name] = "+".join(value)
            flat.update(settings(value, f"{name}."))
        else:
            flat[name] = _printed(value)
    return flat


def _printed(value: object) -> str:
    if isinstance(value, str):
        try:
            return f"{float(value):g}"  # YAML leaves 1e-3 a text
        except ValueError:
            return value
    if isinstance(value, list):
        return "[" + ",".join(map(_printed, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def differing(groups: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of the settings that tell the groups apart, without those that follow from one above them.

    >>> a, b = {"loss": "x", "loss.x": "X"}, {"loss": "y", "loss.y": "Y", "lr": "1"}
    >>> differing([a, {**b, "lr": "2"}, b])
    ['loss', 'lr']
    """
    names = list(dict.fromkeys(name for group in groups for name in group))
    found = [name for name in names if len({group.get(name, ABSENT) for group in groups}) > 1]
    return [
        name
        for name in found
        if all(name in group for group in groups) or not any(above in found for above in _above(name))
    ]


def named_once(names: Sequence[str], groups: Sequence[Mapping[str, str]]) -> list[str]:
    """The names without those of copies: settings of one last name that are equal in every group.

    A setting that refers to another, `architecture.query_length` to `batches.query_length`, differs wherever that one
    does. The name of the fewest parts stays.

    >>> named_once(["data.lr", "lr"], [{"data.lr": "1", "lr": "1"}, {"data.lr": "2", "lr": "2"}])
    ['lr']
    """

    def copied(name: str) -> tuple[str, ...]:
        return (name.rpartition(".")[2], *(group.get(name, ABSENT) for group in groups))

    kept: dict[tuple[str, ...], str] = {}
    for name in sorted(names, key=lambda name: name.count(".")):
        kept.setdefault(copied(name), name)
    return [name for name in names if kept[copied(name)] == name]


def group_names(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each configuration, equal for those of one system.

    `name`, followed by the settings that differ among the systems of that name.

    >>> group_names([{"name": "a", "lr": 1}, {"name": "a", "lr": 2}, {"name": "a", "lr": 2, "seed": 2}, {"name": "b"}])
    ['a lr=1', 'a lr=2', 'a lr=2', 'b']
    """
    flat = [settings(config) for config in configs]
    names = []
    for one in flat:
        mine = one.get("name", "run")
        alike = [other for other in flat if other.get("name", "run") == mine]
        keys = named_once([key for key in differing(alike) if key], alike)
        last = [key.rpartition(".")[2] for key in keys]
        shown = [
            f"{key if last.count(short) > 1 else short}={one.get(key, ABSENT)}"
            for key, short in zip(keys, last, strict=True)
        ]
        names.append(" ".join([mine, *shown]))
    return names
