"""A finished training read back from its checkpoint alone: its configuration, encoder and model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from clir_lightning.build import build, build_all, changed
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.texts import side_lengths
from clir_lightning.errors import ConfigError
from clir_lightning.scoring.computing import Computing, computing
from clir_lightning.lightning.pair_module import CrossModule
from clir_lightning.lightning.callbacks.rebuilding import encoder_folder, read_saved
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder
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
        """What a checkpoint was trained to be, wherever it lies; nothing beside it is read."""
        checkpoint = Path(path)
        if not checkpoint.is_file():
            raise ConfigError(f"checkpoint {checkpoint} is missing; give the path of a checkpoints/best.ckpt")
        saved = read_saved(checkpoint)
        config = OmegaConf.create(saved.config)
        with encoder_folder(saved.files) as folder:
            encoder = Encoder(folder, weights=False)
        model, losses = build(config.architecture, encoder), build_all(config.loss)
        module: CrossModule = build(config.module, model, losses, **config.optimizer)
        module.float()  # transformers builds an encoder in what its folder was stored in
        module.load_state_dict(saved.weights)
        return cls(checkpoint, config, encoder, module.eval())

    def collection(self, data: DictConfig) -> Collection:
        """The collection that the model was trained with, with settings changed by `data`, or another one."""
        self.config.data = changed(self.config.data, data, "data")
        collection: Collection = build(self.config.data)
        return collection

    def computing(self, device: str = "auto", precision: str | None = None) -> Computing:
        """Where the model scores, and in which precision: that of its training, unless one is given."""
        return computing(device, precision, trained=self.config.trainer.get("precision"))

    def text_encoder(self, at: Computing | None = None) -> TextEncoder:
        """The model as a function from texts to vectors, computed `at`, by default as training and machine suggest.

        Raises `ConfigError` if it is none.
        """
        model: Any = self.module.model
        if not isinstance(model, DualEncoder):
            raise ConfigError(
                f"{self.checkpoint} is of {type(model).__name__}; a vector a text is needed, from a checkpoint of "
                "architecture=dual (others can rerank: rerank=…)"
            )
        data = self.config.batches
        at = self.computing() if at is None else at
        return TextEncoder(
            Engine(model, at),
            self.encoder.tokenizer,
            {"query": data.query_prefix, "document": data.document_prefix},
            side_lengths(data.max_length, data.query_length, data.document_length),
        )


def loaded(retriever: Any) -> Any:
    """The retriever; a dense one with the model of its checkpoint."""
    if not isinstance(retriever, DenseRetriever):
        return retriever
    trained = Trained.load(retriever.checkpoint)
    return replace(retriever, encoder=trained.text_encoder(trained.computing(retriever.device, retriever.precision)))
