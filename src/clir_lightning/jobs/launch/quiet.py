"""What the libraries say at every job and no user can act on, silenced for all verbs."""

from __future__ import annotations

import logging
import warnings

MESSAGES = (
    ".*does not have many workers.*",
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ".*in eval mode at the start of training.*",
    ".*sync_dist=True.*",  # measures are of all processes already
    ".*Experiment logs directory .* exists and is not empty.*",
)
LOGGERS = ("utilities.rank_zero", "accelerators.cuda")


def quiet() -> None:
    """Silence Lightning's notices and advertisements, and the warnings of `MESSAGES`."""
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
    for logger in LOGGERS:
        logging.getLogger(f"pytorch_lightning.{logger}").setLevel(logging.WARNING)
