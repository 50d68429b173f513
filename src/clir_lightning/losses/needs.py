"""What a loss needs of an architecture, compared with what the architecture gives before anything is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from clir_lightning.errors import ConfigError
from clir_lightning.losses.loss import RankingLoss

# What an architecture may give (`outputs`) and a loss may need (`needs`), in words and with the cure.
WORDS = {
    "scores": ("a score for each document", "another architecture"),
    "similarities": ("the similarities of all texts of a step", "architecture=dual or architecture=late"),
    "vectors": ("one vector per text", "architecture=dual"),
    "cosines": ("similarities that are cosines", "architecture=dual with architecture.similarity=cosine"),
}


def check_losses(losses: Mapping[str, RankingLoss], outputs: Collection[str], *, learn_temperature: bool) -> None:
    """Refuse losses that cannot be computed from an architecture's outputs, and a temperature that none learns from.

    >>> from clir_lightning.losses.contrastive import AlignmentUniformity
    >>> check_losses({"uniform": AlignmentUniformity()}, {"scores", "similarities"}, learn_temperature=False)
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: loss uniform needs one vector per text, which this architecture ...
    """
    for name, loss in losses.items():
        for need in loss.needs:
            if need not in outputs:
                what, cure = WORDS[need]
                problem = f"loss {name} needs {what}, which this architecture does not give"
                raise ConfigError(f"{problem}; use {cure}, or leave {name} out of loss=[…]")
    if learn_temperature and not any(loss.reads_temperature for loss in losses.values()):
        problem = f"architecture.learn_temperature is true, but loss {', '.join(losses)} does not read the temperature"
        raise ConfigError(f"{problem}; set it to false, or add a loss that does, such as infonce")
