"""The Hugging Face hub and Weights & Biases: whether they are to be had, and how."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from clir_lightning.machine.facts import LOOK, Fact, brief

SECONDS = 3.0  # that the hub may take


def hub() -> Callable[[], Iterator[Fact]]:
    """Begin to ask the hub; what is returned waits for its answer."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    from clir_lightning.models.hub import asked, endpoint

    def question() -> tuple[str, float]:
        began = time.monotonic()
        status = get_session().head(constants.ENDPOINT, timeout=SECONDS).status_code
        return f"answers with status {status}" if status >= 500 else "", time.monotonic() - began

    ends = time.monotonic() + SECONDS
    answer = None if constants.HF_HUB_OFFLINE else asked(question)

    def found() -> Iterator[Fact]:
        if answer is None:
            yield Fact("hub", "offline by HF_HUB_OFFLINE: models come from folders and the cache")
        else:
            seconds = SECONDS
            try:
                problem, seconds = answer(ends - time.monotonic())
            except TimeoutError:
                problem = f"does not answer within {SECONDS:.0f} s"
            except Exception as error:
                problem = f"cannot be reached ({brief(error)})"

            # Where it is not to be had, what to do without it.
            cure = "models come from folders and the cache; set HF_HUB_OFFLINE=1, or HF_ENDPOINT to a mirror"
            told = f"{endpoint()} {problem}; {cure}" if problem else f"{endpoint()} answered in {seconds:.1f} s"
            yield Fact("hub", told, LOOK if problem else "")
        yield models(Path(constants.HF_HUB_CACHE))

    return found


def models(cache: Path) -> Fact:
    """The hub's cache on this machine."""
    names = [path.name.removeprefix("models--").replace("--", "/") for path in sorted(cache.glob("models--*"))]
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    count = f"{len(names)} model{'' if len(names) == 1 else 's'}"
    return Fact("hub's cache", f"{cache}, {count}" + (f": {shown}" if names else ""))


def wandb() -> Fact:
    """Whether W&B runs would be logged online."""
    from clir_lightning.lightning.loggers.wandb_run import has_wandb_key

    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return Fact("W&B", f"{mode} by WANDB_MODE")
    return Fact("W&B", "logged in" if has_wandb_key() else "no key, runs are kept offline; wandb login")
