"""The two kinds of model, of pairs and of texts apart: batches and training module must be of the architecture's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.lightning.text_module import TextModule
from clir_lightning.models.contracts import check_contract

KINDS: dict[str, tuple[type, type]] = {"pairs": (PairBatches, PairModule), "texts": (TextBatches, TextModule)}


def check_kinds(architecture: object, batches: object, module: object) -> None:
    """Raise `ConfigError` where batches or module are of the other kind than the architecture, all three classes.

    An architecture that a function makes shows its kind only when it is there.

    >>> from clir_lightning.models.dual import DualEncoder
    >>> check_kinds(DualEncoder, PairBatches, TextModule)
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: DualEncoder encodes texts apart, and batches is PairBatches; add ...
    """
    if not inspect.isclass(architecture):
        return
    check_contract(architecture)
    apart = hasattr(architecture, "encode")
    kind = "texts" if apart else "pairs"
    other = "pairs" if apart else "texts"

    # Classes from elsewhere are of neither kind, and taken at their word.
    for group, given, wrong in zip(("batches", "module"), (batches, module), KINDS[other], strict=True):
        if inspect.isclass(given) and issubclass(given, wrong):
            does = "encodes texts apart" if apart else "scores pairs"
            problem = f"{architecture.__name__} {does}, and {group} is {given.__name__}"
            raise ConfigError(f"{problem}; add batches={kind} module={kind}")


def check_knowledge(architecture: object, batches: object, settings: Mapping[str, Any]) -> None:
    """Raise `ConfigError` where an architecture that reads a graph is given none, or batches that cannot hold one are.

    `settings` are those of the batches. An architecture says so by `reads_knowledge`.

    >>> check_knowledge(object, TextBatches, {"knowledge": {"_target_": "GraphKnowledge"}})
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: batches.knowledge is given, and batches is TextBatches; ...
    """
    given = "_target_" in (settings.get("knowledge") or {})
    if given and inspect.isclass(batches) and issubclass(batches, TextBatches):
        problem = "batches.knowledge is given, and batches is TextBatches; only pairs have knowledge"
        raise ConfigError(f"{problem}: leave knowledge=… out, or take an architecture of pairs")
    if getattr(architecture, "reads_knowledge", False) and not given:
        name = getattr(architecture, "__name__", architecture)
        problem = f"{name} reads a knowledge graph, and batches.knowledge is none"
        raise ConfigError(f"{problem}; add knowledge=demo, or knowledge=folder with the path of a graph")
