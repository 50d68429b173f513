"""What a setting that isn't there may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from clir_lightning.configuration import options


def nearest(root: str, overrides: Sequence[str], conf: Path) -> list[str]:
    """A line for each override of something that isn't there and has a likely name beside it.

    Args:
        root: the verb's root file.
        overrides: as typed; flags among them say nothing here.
        conf: the folder of the configuration.
    """
    given = [override.partition("=")[::2] for override in overrides if not override.startswith("-")]
    groups = {str(path.relative_to(conf)) for path in conf.rglob("*") if path.is_dir()}
    chosen = [f"{key}={value}" for key, value in given if key in groups and value in options(conf / key)]

    # The names that there are with the groups as chosen, and the groups.
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            composed: Any = OmegaConf.to_container(compose(root, overrides=chosen))
    except HydraException:
        return []
    names = list(dict.fromkeys([*_names(composed), *sorted(groups)]))

    # Of a group that is there the option must be wrong, otherwise the name.
    lines = []
    for key, value in given:
        if key in groups:
            known = options(conf / key)
            wrong = [option for option in value.strip("[]").split(",") if option not in known]
            likely = [f"{key}={near}" for option in wrong for near in _close(option, known)]
        else:
            likely = [] if key in names or key.startswith(("+", "~", "hydra")) else _close(key, names)
        if likely:
            lines.append(f"{key}={value}: did you mean {' or '.join(likely)}?")
    return lines


def _names(node: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The dotted names of nested settings."""
    for key, value in node.items():
        if not key.startswith("_"):  # Hydra's own, such as `_target_`
            yield f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _names(value, f"{above}{key}.")


def _close(name: str, names: Sequence[str]) -> list[str]:
    """Up to three names: the whole of which this is a part, then those that are spelt alike."""
    whole = [full for full in names if full.endswith(f".{name}") or full.startswith(name)]
    alike = difflib.get_close_matches(name, names, n=3)
    return list(dict.fromkeys([*whole, *alike]))[:3]
