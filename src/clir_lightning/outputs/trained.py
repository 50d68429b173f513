"""A trained model read back from wherever it lies: its settings, its encoder and its architecture, filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from clir_lightning.build import build, changed
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.texts import side_lengths
from clir_lightning.errors import ClirError, ConfigError, DataError
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import read_saved
from clir_lightning.models.saved import Recipe
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.scoring.computing import Computing, computing
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder

NEEDED = ("architecture", "data", "batches", "trainer")  # settings that a model is built and scored by
AS_WRITTEN = "give a model as clir train wrote it"


@dataclass(frozen=True)
class Trained:
    """A trained model, in 32 bits and for scoring; the configuration is its training's and may be changed."""

    path: Path
    config: DictConfig
    encoder: Encoder
    model: nn.Module

    @classmethod
    def load(cls, path: str | Path) -> Trained:
        """The model of an output folder, a model folder or a checkpoint, wherever it lies; nothing beside it is read.

        Raises `ConfigError` for a path without a model, and for one that cannot be built or filled.
        """
        place = Path(path)
        saved = read_saved(place)
        config = _settings(place, saved.recipe)

        # The architecture over an encoder without weights, as training built it; then all weights at once.
        encoder = _encoder(place, saved.recipe)
        try:
            model: nn.Module = build(config.architecture, encoder)
        except ClirError:
            raise
        except Exception as error:  # of settings that someone wrote by hand
            told = str(error).splitlines()[0]
            raise ConfigError(f"{place} has settings that no model can be built from ({told}); {AS_WRITTEN}") from error
        model.float()  # transformers builds an encoder in what its folder was stored in
        _check_shapes(place, model.state_dict(), saved.weights)
        model.load_state_dict(saved.weights)
        return cls(place, config, encoder, model.eval())

    def collection(self, data: DictConfig) -> Collection:
        """The collection that the model was trained with, with settings changed by `data`, or another one."""
        self.config.data = changed(self.config.data, data, "data")
        collection: Collection = build(self.config.data)
        return collection

    def batches(self, knowledge: DictConfig | None = None) -> Any:
        """The batches that the model was trained with, their knowledge's settings changed by `knowledge`.

        Raises `ConfigError` where the graph of its training is no longer there.
        """
        own = self.config.batches
        if knowledge:
            own.knowledge = changed(own.get("knowledge"), knowledge, "knowledge")
        try:
            return build(own)
        except DataError as error:
            problem = f"{self.path} was trained with knowledge that cannot be read ({error})"
            raise ConfigError(f"{problem}; put the graph back, or evaluate with knowledge.graph.path=…") from error

    def computing(self, device: str = "auto", precision: str | None = None) -> Computing:
        """Where the model scores, and in which precision: that of its training, unless one is given."""
        return computing(device, precision, trained=self.config.trainer.get("precision"))

    def text_encoder(self, at: Computing | None = None) -> TextEncoder:
        """The model as a function from texts to vectors, computed `at`, by default as training and machine suggest.

        Raises `ConfigError` for any other model.
        """
        model: Any = self.model
        if not isinstance(model, DualEncoder):
            problem = f"{self.path} is of {type(model).__name__}; one vector per text is needed"
            raise ConfigError(f"{problem}, from a model of architecture=dual (others can rerank: rerank=…)")
        data = self.config.batches
        at = self.computing() if at is None else at
        return TextEncoder(
            Engine(model, at),
            self.encoder.tokenizer,
            {"query": data.query_prefix, "document": data.document_prefix},
            side_lengths(data.max_length, data.query_length, data.document_length),
        )


def _settings(place: Path, recipe: Recipe) -> DictConfig:
    """The training's settings; `ConfigError` where there is no model in them."""
    try:
        config = OmegaConf.create(recipe.config)
        missing = [name for name in NEEDED if not OmegaConf.is_dict(config.get(name))]
    except OmegaConfBaseException as error:
        told = str(error).splitlines()[0]
        raise ConfigError(f"{place} has settings that cannot be read ({told}); {AS_WRITTEN}") from error
    if missing:
        raise ConfigError(f"{place} has no settings of {', '.join(missing)}; {AS_WRITTEN}")
    return config


def _encoder(place: Path, recipe: Recipe) -> Encoder:
    """The encoder of a recipe, without weights; an error names the model's place, not that of the unpacked files."""
    with recipe.encoder_folder() as folder:
        try:
            return Encoder(folder, weights=False)
        except Exception as error:  # libraries raise whatever they like for damaged files
            told = " ".join(str(error).replace(folder, str(place)).split())
            raise ConfigError(f"{place} holds an encoder that cannot be built ({told}); {AS_WRITTEN}") from error


def _check_shapes(place: Path, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Reject weights that are not those of the architecture that the settings describe, by the first that differs."""
    wrong = [f"{name} is missing" for name in own if name not in given]
    wrong += [f"{name} is not one of its weights" for name in given if name not in own]
    for name in own.keys() & given.keys():
        here = tuple(own[name].shape)
        there = tuple(given[name].shape)
        wrong += [f"{name} is {there}, not {here}"] if here != there else []
    if wrong:
        raise ConfigError(
            f"{place} has weights of another model than its settings describe: {min(wrong)}; {AS_WRITTEN}"
        )


def loaded(retriever: Any) -> Any:
    """The retriever; a dense one with its model."""
    if not isinstance(retriever, DenseRetriever):
        return retriever
    trained = Trained.load(retriever.model)
    return replace(retriever, encoder=trained.text_encoder(trained.computing(retriever.device, retriever.precision)))
