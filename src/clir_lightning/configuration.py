"""What a configuration may name as `_target_`: a model's configuration from elsewhere must not run any code.

Allowed are the classes of this package's rooms, of `torch.nn`, `torch.optim`, `pytorch_lightning` and the auto classes
of `transformers`, and the functions that this package's own configuration names. `CLIR_ALLOW=mypackage,other` in the
environment, which no file can set, adds packages of yours.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from clir_lightning.errors import ConfigError

ROOMS = ("data", "evaluation", "knowledge", "retrieval", "models", "losses", "lightning", "topics")
OWN = tuple(f"clir_lightning.{room}" for room in ROOMS)
LIBRARIES = ("torch.nn", "torch.optim", "pytorch_lightning")
AUTO = re.compile(r"transformers\.Auto\w+")


def config_folder() -> Path:
    """The folder of the configuration: inside the installed package, or at the root of the repository."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def options(group: Path) -> list[str]:
    """The names that a group can be set to: its files, those of inner folders with the folder's name in front."""
    return sorted(str(path.relative_to(group).with_suffix("")) for path in group.rglob("*.yaml"))


def root_name(verb: str) -> str:
    """The name of a verb's root file in `conf/`, and of its module in `jobs/`.

    >>> root_name("data inspect")
    'data_inspect'
    """
    return verb.replace(" ", "_")


@cache
def _named() -> frozenset[str]:
    """The targets in the packaged configuration."""
    found: set[str] = set()
    for path in config_folder().rglob("*.yaml"):
        found |= set(re.findall(r"_target_:\s*([\w.]+)", path.read_text(encoding="utf-8")))
    return frozenset(found)


def _extra() -> tuple[str, ...]:
    return tuple(filter(None, os.environ.get("CLIR_ALLOW", "").split(",")))


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def targets(node: Any) -> Iterator[str]:
    """Every `_target_` in nested dictionaries and lists."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from targets(value)


def check_target(name: str) -> None:
    """Raise `ConfigError` unless a configuration may name this.

    A name is followed to the object: a module reached through another package's import is that module still.
    """
    from hydra.utils import get_object

    packages = (*OWN, *LIBRARIES, *_extra())
    if _within(name, packages) or AUTO.fullmatch(name):
        try:
            found = get_object(name)
        except Exception as error:
            raise ConfigError(f"_target_ {name!r} cannot be found ({str(error).splitlines()[0]})") from error
        home = str(getattr(found, "__module__", ""))
        roots = (*packages, "transformers") if AUTO.fullmatch(name) else packages
        of_class = inspect.isclass(found) or _within(name, _extra())
        if _within(home, roots) and (of_class or name in _named()):
            return
    raise ConfigError(
        f"_target_ {name!r} is not allowed: classes of clir_lightning, torch.nn, torch.optim, pytorch_lightning and "
        "transformers.Auto… are; for a package of yours set CLIR_ALLOW=PACKAGE in the environment"
    )


def check_targets(node: Any) -> None:
    """`check_target` for every `_target_` in nested dictionaries and lists."""
    for name in targets(node):
        check_target(name)
