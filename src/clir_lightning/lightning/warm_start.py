"""Training that starts from another run's checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from clir_lightning.errors import ConfigError
from clir_lightning.lightning.checkpoints import read_weights

log = logging.getLogger(__name__)


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Fill `model` from a checkpoint of `clir train`: the encoder always, the head where it is the same one.

    Raises `ConfigError` for a file that is no checkpoint and for an encoder of another shape.
    """
    state = read_weights(checkpoint)
    given = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
    own = model.state_dict()
    wrong = [
        f"{name} is {tuple(given[name].shape) if name in given else 'missing'} there, {tuple(value.shape)} here"
        for name, value in own.items()
        if name.startswith("encoder.") and (name not in given or given[name].shape != value.shape)
    ]
    if wrong or not any(name.startswith("encoder.") for name in own):
        what = wrong[0] if wrong else "this architecture has no encoder"
        cure = "start from a run with the same encoder and encoder.layers"
        raise ConfigError(f"init_from={checkpoint} does not fit: {what}; {cure}")
    head = {name for name in own if not name.startswith("encoder.")}
    like = all(name in given and given[name].shape == own[name].shape for name in head)
    filled = own.keys() if like else own.keys() - head
    model.load_state_dict({name: given[name] for name in filled}, strict=False)
    log.info(
        "started from %s: the encoder%s", checkpoint, " and the head" if like else "; the head is another one, new"
    )
