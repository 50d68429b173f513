"""The table of the losses: what each is called on the command line and what it needs, read from the files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf" / "loss"


def table(room: griffe.Module) -> str:
    """A row for each file of `conf/loss`: name, class, needs in the words of `losses.needs.NEEDS`."""
    words = {need: what for need, (what, _) in constant(room["needs.NEEDS"]).items()}
    rows = []
    for name, loss in named():
        needs = "; ".join(words[need] for need in needs_of(room[loss]))
        rows.append(f"| `{name}` | [`{loss}`][{room.path}.{loss}] | {needs} |")
    return "\n".join(["| `loss=[…]` | class | needs |", "|---|---|---|", *rows])


def named() -> Iterator[tuple[str, str]]:
    """The names that `loss=[…]` takes, with their classes."""
    for file in sorted(CONF.glob("*.yaml")):
        for name, settings in OmegaConf.load(file).items():
            yield str(name), settings["_target_"].rpartition(".")[2]


def needs_of(loss: griffe.Class) -> tuple[str, ...]:
    """What a class says that it needs, or else the nearest of its bases; settings may add to it (`self.needs`)."""
    for each in (loss, *loss.mro()):
        if "needs" in each.members and "class-attribute" in each.members["needs"].labels:
            found: tuple[str, ...] = constant(each.members["needs"])
            return found
    return ()


def constant(item: Any) -> Any:
    """The value of a name that is a literal."""
    return ast.literal_eval(str(item.value))
