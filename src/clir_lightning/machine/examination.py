"""All facts about a machine, in groups."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clir_lightning.machine import disks, hardware, network, packages
from clir_lightning.machine.facts import BROKEN, Fact, safely


def examine(cache: Path, folder: Path) -> list[tuple[str, list[Fact]]]:
    """Groups of facts, each with its title; nothing that is found raises.

    `cache` is that of prepared data, `folder` the one that trainings would run in.
    """
    asked = network.hub()  # it answers while the packages are imported
    program = [*safely("clir", packages.program), *safely("packages", packages.needed)]

    # What torch tells is not asked of a broken one.
    whole = not any(fact.name == "torch" and fact.state == BROKEN for fact in program)
    machine = [*safely("cores", hardware.processors), *safely("memory", hardware.memory)]
    if whole:
        machine += [*safely("GPU", hardware.gpus), *safely("precision", hardware.decided)]
    return [
        ("program", program),
        ("machine", [*machine, *safely("Java", hardware.java)]),
        ("extras", safely("extras", packages.extras)),
        ("network", [*safely("hub", asked), *safely("W&B", network.wandb)]),
        ("disks", [*safely("cache", lambda: disks.cache(cache)), *safely("outputs", lambda: disks.outputs(folder))]),
    ]


def broken(groups: Iterable[tuple[str, Iterable[Fact]]]) -> list[str]:
    """The names of what no training runs with."""
    return [fact.name for _, facts in groups for fact in facts if fact.state == BROKEN]
