"""What is wrong with the settings of a job, told by their names before anything is read or computed.

Whatever a `_target_` takes is told by its signature (`build.check_settings`). The verb's own settings are of the type
that their default in its root file has; `TYPES` has those that may be something else too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clir_lightning.build import check_settings, outline, without_value
from clir_lightning.configuration import config_folder, root_name
from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import Amount, Count, Dropout, ExistingPath, Range
from clir_lightning.settings.signatures import kinds
from clir_lightning.settings.values import MISSING, check

AUTO = int | Literal["auto"]
PLAIN = (bool, int, float, str)
TEXTS = ("entity", "graph", "model", "path")  # what they are called where they must be given

# By `verb.setting`, or by the name alone where it is the same for all.
TYPES: Mapping[str, Any] = {
    "cache": str | None,
    "compare.baseline": str | None,
    "compare.qrels": str | None,
    "compare.report.measure": str | None,
    "compare.runs": str | Sequence[str] | Mapping[str, str | Sequence[str]],
    "data_inspect.tokenizers": Sequence[str],
    "device": str,
    "devices": AUTO,
    "evaluate.candidates": str | None,
    "evaluate.depth": int | None,
    "evaluate.qrels": str | None,
    "evaluate.queries": int | None,
    "evaluate.run": str | None,
    "features": Mapping[str, int],
    "fuse.depth": int | None,
    "fuse.qrels": str | None,
    "fuse.runs": Sequence[str],
    "fuse.tune.qrels": str | None,
    "fuse.tune.runs": Sequence[str],
    "fuse.weights": Sequence[float] | None,
    "graph_build.dump": str | None,
    "graph_build.entities": Sequence[str],
    "graph_inspect.languages": Sequence[str] | None,
    "graph_link.documents": str | None,
    "graph_link.queries": str | None,
    "graph_link.truth": Sequence[str],
    "graph_rank.candidates": str | None,
    "index_settings.lists": int | None,
    "keep_seconds": float | None,
    "mine.filters.margin": float | None,
    "mine.filters.ratio": float | None,
    "mine.filters.teacher_margin": float | None,
    "mine.run": str | None,
    "precision": str | int | None,
    "query": str | None,
    "query_language": str | None,
    "retrieve.rm3": Mapping[str, float] | None,
    "rows": int | None,
    "score_tokens": AUTO | None,
    "search.topics": str | None,
    "shard": str | None,
    "split": str | None,
    "teacher": ExistingPath | None,
    "train.checkpoint_steps": Count | None,
    "train.dropout": Dropout,
    "train.init_from": ExistingPath | None,
    "train.resume": str | None,
    "workers": AUTO,
}

# Lightning would find these when it has what it trains on, or not at all.
OF_TRAINER: Mapping[str, Any] = {
    "accumulate_grad_batches": Count,
    "check_val_every_n_epoch": Count | None,
    "gradient_clip_val": Amount | None,
    "max_epochs": Annotated[int, Range(least=-1)] | None,
    "max_steps": Annotated[int, Range(least=-1)],
    "num_nodes": Count,
}

# What a job makes of a setting before a target gets it.
SETTLED = {"module.parts": ("auto",), "trainer.precision": ("auto",)}


def check_job(verb: str, config: DictConfig) -> None:
    """`ConfigError` for the first setting that has no value, a value of another type, or no place in this job."""
    try:
        values: Any = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from None

    # What a finished run was begun from may be gone by now; one that goes on says what it lacks when it reads it.
    if values.get("resume"):
        values |= dict.fromkeys(values.keys() & {"init_from", "teacher"})

    # The verb's own settings, then those of targets.
    root = root_name(verb)
    defaults: Any = OmegaConf.to_container(OmegaConf.load(config_folder() / f"{root}.yaml"))
    _check_own(values, defaults, root)
    for name, settled in SETTLED.items():
        node, _, key = name.partition(".")
        if isinstance(values.get(node), dict) and values[node].get(key) in settled:
            del values[node][key]
    _check_choices(values, defaults["defaults"])

    # Those of Lightning's trainer that its own signature leaves open.
    trainer = values.get("trainer") or {}
    for key, kind in OF_TRAINER.items():
        if key in trainer:
            check(trainer[key], kind, f"trainer.{key}")
    check_settings(values)

    # Last: what is missing may have been given under a name that is not there.
    for name in _without_value(values):
        raise ConfigError(without_value(name))


def _without_value(values: Any, name: str = "") -> Iterator[str]:
    """The dotted names of settings that must be given and were not."""
    if values == MISSING:
        yield name
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _without_value(value, f"{name}.{key}" if name else str(key))


def _check_own(values: Mapping[str, Any], defaults: Mapping[str, Any], root: str, above: str = "") -> None:
    """Compare settings with their defaults; what is within a node with a `_target_` is its business."""
    for key, default in defaults.items():
        name = f"{above}{key}"
        if not above and key in ("defaults", "hydra"):
            continue
        if key not in values:
            raise ConfigError(f"there is no setting {name}, which this job needs; leave ~{name} out")
        check(values[key], _type(default, name, root), name)
        if isinstance(default, dict) and "_target_" not in default:
            _check_own(values[key], default, root, f"{name}.")


def _type(default: Any, name: str, root: str) -> Any:
    """What a verb's setting may be."""
    for known in (f"{root}.{name}", name):
        if known in TYPES:
            return TYPES[known]
    if default == MISSING:  # which says nothing of its type
        return str if name in TEXTS else Any
    if isinstance(default, list):
        inner = {type(each) for each in default}
        return Sequence[inner.pop()] if len(inner) == 1 and inner <= set(PLAIN) else Sequence[Any]  # type: ignore[misc]
    if isinstance(default, dict):
        return Mapping[str, Any]
    return type(default) if isinstance(default, PLAIN) else Any


def _check_choices(values: Mapping[str, Any], groups: Sequence[Any]) -> None:
    """Whether each group that a job needs is there, and a text stands within an architecture that has one."""
    for group in groups:
        name, option = next(iter(group.items())) if isinstance(group, dict) else (str(group), None)
        needed = isinstance(option, str) and not name.startswith("override")
        if needed and "_target_" not in (values.get(name) or {}):
            raise ConfigError(f"there is no {name}, which this job needs; leave ~{name} out")

    # What the group `text` brings under another architecture is nothing that its settings would tell.
    chosen = HydraConfig.get().runtime.choices.get("text") if HydraConfig.initialized() else None
    architecture = values.get("architecture")
    if chosen is None or not isinstance(architecture, dict) or "_target_" not in architecture:
        return
    taken, _ = kinds(outline(OmegaConf.create(architecture))[0])
    if "text" not in taken:
        have = "architecture=graph, hike and others that read a text beside something else"
        raise ConfigError(f"text={chosen} is for {have}; this architecture has none")
