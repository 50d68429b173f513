"""From configuration to objects: the only place that calls Hydra's `instantiate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from clir_lightning.configuration import check_target, check_targets
from clir_lightning.errors import ClirError, ConfigError, one_of
from clir_lightning.settings.signatures import kinds
from clir_lightning.settings.spelling import nearest
from clir_lightning.settings.values import check, is_part

CACHE = "oc.env:CLIR_CACHE"  # marks the settings whose value is each machine's own


def without_value(name: str) -> str:
    """What to say of a setting that must be given and was not."""
    return f"{name} has no value; give {name}=…"


def build(node: DictConfig, *args: Any, **extra: Any) -> Any:
    """The object that `node._target_` names, with the node's values and `extra`; nested nodes are built too.

    Only what `configuration.check_target` lets through is built. A `ClirError` from within comes through as it is; a
    wrong argument, or a setting without a value, becomes a `ConfigError`.
    """
    try:
        whole = OmegaConf.is_config(node)
        check_targets(OmegaConf.to_container(node, resolve=True, throw_on_missing=True) if whole else node)
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
        raise ConfigError(without_value(str(error.full_key))) from None
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


def portable(config: DictConfig) -> dict[str, Any]:
    """`plain` for another machine too: where the environment names the cache, that reference stays."""

    def kept(value: Any, written: Any) -> Any:
        if isinstance(value, dict) and isinstance(written, dict):
            return {key: kept(inner, written[key]) for key, inner in value.items()}
        return written if isinstance(written, str) and CACHE in written else value

    values: dict[str, Any] = kept(plain(config), OmegaConf.to_container(config))
    return values


def changed(own: DictConfig | None, given: DictConfig, name: str) -> DictConfig:
    """The settings `own` of a node with those `given` changed, or those alone where they name another target.

    Args:
        own: what there is to change, if anything.
        given: some settings of it, or a whole node.
        name: the node's, for errors.

    Raises `ConfigError`, with the allowed names, for a setting that the target does not take.
    """
    changes: Any = OmegaConf.to_container(given)
    node: Any = {} if own is None else OmegaConf.to_container(own)
    target = changes.get("_target_", node.get("_target_"))
    if target is None:
        raise ConfigError(f"{name}.{next(iter(changes))} is given, and nothing says of which {name}; add {name}=…")
    if target != node.get("_target_"):
        node = {"_target_": target}
    _reject_unknown(node, changes, name)
    merged = OmegaConf.merge(node, changes)
    assert isinstance(merged, DictConfig)
    check_settings(OmegaConf.to_container(merged), name)
    return merged


def _reject_unknown(node: Mapping[str, Any], changes: Mapping[str, Any], name: str) -> None:
    """Follow `changes` into `node`: a `_target_` takes what its signature lists, other nodes what they hold.

    A whole node with a `_target_` of its own may stand anywhere among others.
    """
    target = node.get("_target_")
    names = list(node) if target is None else _parameters(str(target))
    for key, value in changes.items():
        if key.startswith("_"):  # Hydra's own, such as `_target_`
            continue
        inner = value if isinstance(value, Mapping) else {}
        if names is not None and key not in names and not (target is None and "_target_" in inner):
            one_of(f"{name}.{key}", [f"{name}.{allowed}" for allowed in names] or ["none"], "setting")
        found = node.get(key)
        known = {"_target_": inner["_target_"]} if "_target_" in inner else found
        if isinstance(known, Mapping):
            _reject_unknown(known, inner, f"{name}.{key}")


def _parameters(target: str) -> list[str] | None:
    """The names that a target takes; `None` where it takes any."""
    check_target(target)
    names, any_other = kinds(get_object(target))
    return None if any_other else list(names)


def parameters(node: DictConfig) -> list[str]:
    """The settings that the node's target takes, whether the node lists them or not; objects that a job adds are none.

    Empty for a target that cannot be found or may not be named.
    """
    try:
        check_target(str(node["_target_"]))
    except ConfigError:
        return []
    taken, _ = kinds(get_object(str(node["_target_"])))
    return [name for name, kind in taken.items() if not is_part(kind)]


def check_settings(values: Any, name: str = "") -> None:
    """Whether each `_target_` in nested dictionaries and lists takes the settings that stand beside it.

    Args:
        values: the configuration, its references resolved.
        name: where it stands, for errors.

    Raises `ConfigError` for a setting that a target does not have, and for a value that is not of the type which its
    signature says.
    """
    if isinstance(values, list):
        for place, value in enumerate(values):
            check_settings(value, f"{name}[{place}]")
    if not isinstance(values, Mapping):
        return

    # What the target takes, then what is within.
    inner = {key: f"{name}.{key}" if name else str(key) for key in values if not str(key).startswith("_")}
    if "_target_" in values:
        target = str(values["_target_"])
        check_target(target)
        taken, any_other = kinds(get_object(target))
        for key, full in inner.items():
            if key in taken:
                check(values[key], taken[key], full)
            elif not any_other:
                raise ConfigError(f"there is no setting {full}; {_takes(target, name, taken, str(key))}")
    for key, full in inner.items():
        check_settings(values[key], full)


def _takes(target: str, name: str, taken: Mapping[str, Any], key: str) -> str:
    """The nearest of the settings that a target takes, or all where none is near."""
    known = [f"{name}.{each}" for each in taken if not is_part(taken[each])]
    near = nearest(f"{name}.{key}", known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"{target.rpartition('.')[2]} takes {', '.join(known) or 'none'}"
