"""Scores of a run's candidates by a trained module, outside of a trainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from clir_lightning.scoring.computing import Computing
from clir_lightning.types import Run


@torch.inference_mode()
def rerank(module: Any, batches: Iterable[Any], *, name: str, at: Computing) -> Run:
    """The run of a module's scores, computed `at`, over scoring batches, those of documents alone among them.

    Works for pairs (`CrossModule`) and for texts apart (`DualModule`); the module is moved to the device.
    """
    module.to(at.device).eval()
    module.on_test_epoch_start()
    lists: dict[str, dict[str, float]] = {}
    for number, batch in enumerate(batches):
        with at.context():
            scores = module.test_step(batch.to(at.device), number)
        for sample, row in zip(batch.samples, scores.float().cpu().tolist(), strict=True):
            lists.setdefault(sample.query_id, {}).update(zip(sample.document_ids, row, strict=True))
    return Run(lists, name=name)
