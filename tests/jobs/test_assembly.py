"""What a training is put together from, while another command begins in the same folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.collection import Collection
from clir_lightning.jobs import assembly
from clir_lightning.models.encoder import Encoder


def test_an_encoder_that_is_made_in_the_folder_is_this_commands_alone(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other command has made its own, which it removes, between this one's making and its reading."""
    tiny = {"_target_": "clir_lightning.models.TinyEncoder", "vocabulary": 120, "width": 16, "heads": 2, "layers": 1}
    config = OmegaConf.create({"encoder": tiny, "seed": 1, "cache": None})
    data: Any = SimpleNamespace(collection=collection, splits={"train": "train"}, batches=PairBatches())

    def overtaken(name: str, source: Any) -> Encoder:
        monkeypatch.setattr(assembly, "Encoder", Encoder)
        assembly.make_encoder(config, data, tmp_path)
        return Encoder(name, source)

    monkeypatch.setattr(assembly, "Encoder", overtaken)
    assert assembly.make_encoder(config, data, tmp_path).depth == 1
    assert list(tmp_path.iterdir()) == []
