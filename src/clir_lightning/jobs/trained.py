"""A finished training read back: its configuration, encoder and model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import build, build_all, saved_config
from clir_lightning.data.collection import Collection
from clir_lightning.data.texts import side_lengths
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.checkpoints import read_weights
from clir_lightning.lightning.cross_module import CrossModule
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.text_encoder import TextEncoder
from clir_lightning.retrieval.dense import DenseRetriever


@dataclass(frozen=True)
class Trained:
    """What a checkpoint holds; the configuration may be changed."""

    checkpoint: Path
    config: DictConfig
    encoder: Encoder
    module: CrossModule

    @classmethod
    def load(cls, path: str | Path) -> Trained:
        """The run that a `checkpoints/*.ckpt` belongs to."""
        checkpoint = Path(path)
        if not checkpoint.is_file():
            raise ConfigError(f"checkpoint {checkpoint} is missing; give the path of a checkpoints/best.ckpt")
        home = checkpoint.resolve().parents[1]
        config = saved_config(home)
        OmegaConf.set_struct(config, False)
        encoder = Encoder(str(home / "encoder"), weights=False)
        model, losses = build(config.architecture, encoder), build_all(config.loss)
        module: CrossModule = build(config.module, model, losses, **config.optimizer)
        module.load_state_dict(read_weights(checkpoint))
        return cls(checkpoint, config, encoder, module.eval())

    def collection(self, data: DictConfig) -> Collection:
        """The collection that the model was trained with, with settings changed by `data`, or another one."""
        settings = self.config.data
        if data.get("_target_", settings._target_) != settings._target_:
            settings = data
        else:
            settings.merge_with(data)
        collection: Collection = build(settings)
        return collection

    def text_encoder(self) -> TextEncoder:
        """The model as a function from texts to vectors; `ConfigError` if it is none."""
        model: Any = self.module.model
        if not isinstance(model, DualEncoder):
            raise ConfigError(
                f"{self.checkpoint} is of {type(model).__name__}; a vector a text is needed, from a checkpoint of "
                "architecture=dual (others can rerank: rerank=…)"
            )
        data = self.config.datamodule
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return TextEncoder(
            model.to(device),
            self.encoder.tokenizer,
            {"query": data.query_prefix, "document": data.document_prefix},
            side_lengths(data.max_length, data.query_length, data.document_length),
        )


def loaded(retriever: Any) -> Any:
    """The retriever; a dense one with the model of its checkpoint."""
    if not isinstance(retriever, DenseRetriever):
        return retriever
    return replace(retriever, encoder=Trained.load(retriever.checkpoint).text_encoder())
