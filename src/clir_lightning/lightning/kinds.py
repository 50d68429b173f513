"""The two kinds of model, of pairs and of texts apart: batches and training module must be of the architecture's."""

from __future__ import annotations

import inspect

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
