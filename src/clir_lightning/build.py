"""From configuration to objects: the only place that calls Hydra's `instantiate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from clir_lightning.allowed import check_targets
from clir_lightning.errors import ClirError, ConfigError


def without_value(error: MissingMandatoryValue) -> str:
    """What to say of a setting that must be given and was not."""
    return f"{error.full_key} has no value; give {error.full_key}=…"


def build(node: DictConfig, *args: Any, **extra: Any) -> Any:
    """The object that `node._target_` names, with the node's values and `extra`; nested nodes are built too.

    Only what `allowed.check_target` lets through is built. A `ClirError` from within comes through as it is; a wrong
    argument becomes a `ConfigError`.
    """
    try:
        check_targets(OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node)
        # What the job adds is passed as it is: Hydra would copy it, and build any configuration within.
        make = instantiate(node, _convert_="all", _partial_=True)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ClirError):
                raise cause from None
            cause = cause.__cause__
        raise ConfigError(" ".join(str(error).split())) from error
    except MissingMandatoryValue as error:
        raise ConfigError(without_value(error)) from None
    try:
        return make(*args, **extra)
    except TypeError as error:
        raise ConfigError(f"{node['_target_']}: {error}") from error


def outline(node: DictConfig) -> tuple[Any, dict[str, Any]]:
    """The class that `node._target_` names, and the node's values for it; nothing is built."""
    values = plain(node)
    check_targets(values)
    return get_object(values.pop("_target_")), values


def build_all(nodes: DictConfig | list[Any] | None, **extra: Any) -> dict[str, Any]:
    """The objects of a multi-select group, by name; entries set to null are left out."""
    return {str(name): build(node, **extra) for name, node in dict(nodes or {}).items() if node is not None}


def plain(config: DictConfig) -> dict[str, Any]:
    """The configuration as dictionaries, lists and values, its references resolved."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    return dict(values)


def saved_config(folder: Path) -> DictConfig:
    """The configuration that the run in this output folder was started with."""
    path = folder / ".hydra" / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{path} is missing; a checkpoint lies in the output folder of its run, beside .hydra/")
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    return config
