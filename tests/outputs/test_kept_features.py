"""The fingerprint that kept scores lie under holds the content of a feature's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from omegaconf import OmegaConf

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.models.encoder import Encoder
from clir_lightning.outputs.kept import kept_scores
from clir_lightning.scoring.computing import CPU, Computing
from clir_lightning.types import Run


class Content:
    """A feature whose folder holds something else each time."""

    def __init__(self, content: str) -> None:
        self.content = content

    def __call__(self, queries: Any, documents: Any) -> torch.Tensor:
        return torch.zeros(len(queries), 1)

    def prepare(self, queries: Mapping[str, Any], documents: Mapping[str, Any], cache: str | None) -> None:
        """Nothing to do."""

    def fingerprint(self) -> str:
        return self.content


def test_another_content_in_the_same_folder_has_other_scores(
    collection: Collection, encoder: Encoder, tmp_path: Path
) -> None:
    def place(content: str) -> Path:
        settings: dict[str, Any] = {"architecture": {}, "batches": {"features": {"topics": {"path": "the same"}}}}
        trained: Any = SimpleNamespace(path="model", config=OmegaConf.create(settings), encoder=encoder, model=encoder)
        batches = PairBatches(features={"topics": Content(content)})
        candidates = CandidateSet(collection, "train", Run({"q1": {"a": 0.0, "b": 0.0}}), batches)
        candidates.tokenise(encoder.tokenizer)
        kept = kept_scores(trained, Computing(CPU, "32-true"), candidates, candidates.loader(), cache=str(tmp_path))
        assert kept is not None
        return kept.folder

    assert place("one") == place("one")
    assert place("one") != place("other")
