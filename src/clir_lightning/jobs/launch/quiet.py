"""What a job does not say: what no user can act on, what a bar shows, what another process says."""

from __future__ import annotations

import logging
import sys
import warnings

from clir_lightning.progress import IN_BAR
from clir_lightning.rank import rank

MESSAGES = (
    ".*does not have many workers.*",
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ".*in eval mode at the start of training.*",
    ".*sync_dist=True.*",  # measures are of all processes already
    ".*Experiment logs directory .* exists and is not empty.*",
    ".*is smaller than the logging interval.*",  # the log goes by time
    ".*`broadcast_buffers` is deprecated.*",
)
LOGGERS = ("utilities.rank_zero", "accelerators.cuda")


def quiet() -> None:
    """Silence Lightning's notices and advertisements, the warnings of `MESSAGES`, and what is said elsewhere already.

    Of several processes the first one tells how it goes; a terminal has no line of what a bar in it shows.
    """
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
    for logger in LOGGERS:
        logging.getLogger(f"pytorch_lightning.{logger}").setLevel(logging.WARNING)

    # The others warn, and no more.
    root = logging.getLogger()
    if rank():
        root.setLevel(logging.WARNING)

    # Log files have all lines.
    for handler in root.handlers:
        stream = getattr(handler, "stream", None)
        if stream in (sys.stdout, sys.stderr) and stream.isatty():
            handler.addFilter(_not_in_bar)


def _not_in_bar(record: logging.LogRecord) -> bool:
    return not getattr(record, IN_BAR, False)
