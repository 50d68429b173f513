"""Where the scores of a model's pass lie while it runs, by a fingerprint of all that decides them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from clir_lightning.build import plain
from clir_lightning.data.batches.features import Prepared
from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.store.telling import of_texts
from clir_lightning.data.tokens.table import texts_fingerprint, tokenizer_fingerprint
from clir_lightning.outputs.provenance import versions
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.kept import SECONDS, KeptScores
from clir_lightning.scoring.processes import once
from clir_lightning.scoring.weights import weight_parts

DECIDING = ("architecture", "batches")  # settings of the training that decide scores beside weights and texts


def kept_scores(
    trained: Trained,
    at: Computing,
    candidates: CandidateSet,
    batches: StepLoader,
    *,
    cache: str | None,
    seconds: float | None = SECONDS,
    settings: Mapping[str, Any] | None = None,
) -> KeptScores | None:
    """The place for the scores of these batches in `cache`; nothing without a cache, or where `seconds` is `None`.

    Args:
        trained, at: what scores, where and in which precision.
        candidates, batches: what is scored.
        cache: the folder that `scores/` lies in.
        seconds: between two writings.
        settings: further ones that decide scores.
    """
    if cache is None or seconds is None:
        return None
    key = once(lambda: fingerprint(_parts(trained, at, candidates, batches, settings)))
    of = f"{candidates.name}, {of_texts(candidates.split.queries)}; {trained.path}"
    return KeptScores(cache, key, seconds, of=of)


def _parts(
    trained: Trained, at: Computing, candidates: CandidateSet, batches: StepLoader, settings: Mapping[str, Any] | None
) -> Iterator[Any]:
    # The program, the machine's arithmetic and the settings.
    gpu = at.device.type == "cuda"
    arithmetic = torch.cuda.get_device_name(at.device) if gpu else torch.backends.cpu.get_cpu_capability()
    own = {name: plain(trained.config[name]) for name in DECIDING}
    yield json.dumps([versions(), arithmetic, at.precision, own, dict(settings or {})], sort_keys=True, default=repr)

    # The pairs, in their batches, and their texts.
    steps: Any = batches.sampler
    yield from steps.parts()
    yield texts_fingerprint(candidates.split.queries)
    yield texts_fingerprint(candidates.split.documents)

    # What features read of folders, whose paths the settings name.
    features = getattr(candidates.batches, "features", {})
    yield from (each.fingerprint() for each in features.values() if isinstance(each, Prepared))

    # What a graph knows of them: a folder of the same name may hold another one by now.
    known = getattr(candidates.dataset, "knowledge", None)
    yield "" if known is None else known.table.fingerprint

    # The model.
    yield tokenizer_fingerprint(trained.encoder.tokenizer)
    yield from weight_parts(trained.model.state_dict())
