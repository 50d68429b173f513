"""How many tokens a scoring batch has: by a trial of the very model on the very device, whose outcome is kept.

On a CPU a batch is fast whose states fit the caches, on a GPU one that fills the memory. The size moves scores by
rounding alone (some 1e-6 of them), so that runs of two sizes rank alike but for documents whose scores lie closer than
that, and run files may differ in their last digits. Where the outcome is kept, a later run has the same size again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.settings import AUTO
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.files.lines import write_whole
from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.tokens.texts import Texts
from clir_lightning.errors import ClirError
from clir_lightning.progress import stage
from clir_lightning.scoring.computing import Computing, cores, device_name, tokens_for, workers_for
from clir_lightning.scoring.processes import once, world
from clir_lightning.scoring.trial import middle, trial

log = logging.getLogger(__name__)

SIZES = {"cpu": [1024, 2048, 4096, 8192, 16384], "cuda": [8192, 16384, 32768, 65536, 131072]}
WORTH = 2000  # pairs or more to score are worth a trial


@dataclass(frozen=True)
class Tokens:
    """The tokens of a scoring batch, and what says so."""

    number: int | None
    origin: str

    def __str__(self) -> str:
        """As the log tells it.

        >>> print(Tokens(4096, "measured"))
        4,096 tokens a scoring batch (measured)
        """
        number = "any number of" if self.number is None else f"{self.number:,}"
        return f"{number} tokens a scoring batch ({self.origin})"


def settled(model: Any, at: Computing, scored: Sequence[CandidateSet], *, cache: str | None) -> Tokens:
    """Decide on `score_tokens` and `workers` where they are `auto`, and have the candidates' batches made like that.

    The first process decides for all. Nothing is measured where the trial would cost more than it brings (fewer than
    `WORTH` pairs), and without a cache, where each run would measure, and round, anew: a rule of thumb holds then.

    Args:
        model: what scores; its mode and its device stay as they are.
        at: where it will score, and in which precision.
        scored: candidates in batches of the same settings, tokenised.
        cache: the folder in which the outcome is kept, for this model's shape, device, precision and number of threads.
    """
    setting: Any = scored[0].batches.score_tokens
    tokens = Tokens(setting, "as set")
    if setting == AUTO:
        tokens = once(lambda: _decided(model, at, scored, cache))
    for candidates in scored:
        workers = workers_for(candidates.batches.workers, at.device, cores())
        candidates.batches = replace(candidates.batches, score_tokens=tokens.number, workers=workers)
    return tokens


def attention_of(encoder: Any) -> str:
    """How an encoder's layers compute attention: over unpadded rows, or by one of transformers' functions."""
    return "unpadded" if unpadded(encoder) else str(encoder.model.config._attn_implementation)


def unpadded(encoder: Any) -> bool:
    """Whether an encoder computes nothing for padding."""
    return bool(getattr(encoder, "unpadded", False))


def parts_for(setting: int | str, encoder: Any) -> int:
    """In how many parts of like length a process's share of a training step goes through an encoder.

    `auto` is 1 without padding. Where rows are padded it is 4, or 1.5 times the pairs a second of 1 (a small DeBERTa,
    lengths as in sib-zh-kk), over the number of processes: a share is shorter, and each part of it must fill a GPU.
    """
    if setting != AUTO:
        return int(setting)
    return 1 if unpadded(encoder) else max(1, 4 // world()[1])


def _decided(model: Any, at: Computing, scored: Sequence[CandidateSet], cache: str | None) -> Tokens:
    """In the first process: the size by rule, by an earlier trial's outcome, or by a trial."""
    kind = "cuda" if at.device.type == "cuda" else "cpu"
    pairs = sum(len(candidates.run[query]) for candidates in scored for query in candidates.run)
    if cache is None or pairs < WORTH:
        return Tokens(tokens_for(at.device), "rule of thumb")

    # What an outcome holds for.
    rows = middle(scored[0])
    about = conditions(model, at, rows)
    path = Path(cache).expanduser() / "auto" / f"{fingerprint([json.dumps(about)])}.json"
    kept = _kept(path, about, SIZES[kind])
    if kept is not None:
        return Tokens(kept, "measured earlier")

    # The trial, after which the model lies where it lay before.
    before = next(model.parameters()).device
    with at.scoring(model), stage("measuring the best size of a scoring batch"):
        tried = trial(model, rows, SIZES[kind], at.device)
    model.to(before)
    _keep(path, {"about": about, **tried})
    return Tokens(tried["tokens"], "measured")


def conditions(model: Any, at: Computing, rows: PairBatch | Texts) -> dict[str, Any]:
    """All that may decide which size is best, weights apart."""
    config = model.encoder.model.config
    shape = {name: value for name, value in config.to_dict().items() if not name.startswith(("_", "transformers"))}
    return {
        "model": type(model).__name__,
        "encoder": fingerprint([json.dumps(shape, sort_keys=True, default=str)]),
        "attention": attention_of(model.encoder),
        "row": 1 << (rows.input_ids.shape[1] - 1).bit_length(),  # tokens, the next power of two
        "device": device_name(at.device),
        "threads": torch.get_num_threads(),
        "precision": at.precision,
        "torch": torch.__version__,
    }


def _kept(path: Path, about: Mapping[str, Any], sizes: Sequence[int]) -> int | None:
    """An earlier trial's outcome; nothing where there is none, or one that nobody can have written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        tokens = found["tokens"] if found["about"] == about else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tokens if tokens in sizes else None


def _keep(path: Path, outcome: Mapping[str, Any]) -> None:
    """Write an outcome for later runs; a cache that cannot be written ends nothing."""
    try:
        with write_whole(path) as stream:
            json.dump(outcome, stream, indent=1)
    except (OSError, ClirError) as error:
        log.warning(
            "the tokens of a scoring batch are measured again next time: %s cannot be written (%s)", path, error
        )
