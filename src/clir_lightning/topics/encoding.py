"""The encoder of a topic model: texts to mean-pooled vectors, kept in a cache, and read back by name or from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from clir_lightning.build import build
from clir_lightning.data.store.columns import map_array
from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.telling import of_texts
from clir_lightning.data.tokens.table import texts_fingerprint
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import read_saved, write_model_folder
from clir_lightning.models.saved import Recipe
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Document, Query

FOLDER = "encoder"  # of a copied encoder, within the folder of the topics
ARCHITECTURE = {"_target_": "clir_lightning.models.DualEncoder", "pooling": "mean", "similarity": "dot"}

Vectors = NDArray[np.float32]  # [N, H]


def mean_pooled(
    encoder: Encoder, prefixes: Mapping[Side, str], lengths: Mapping[Side, int], at: Computing
) -> TextEncoder:
    """The mean of an encoder's last states as a text's vector."""
    for length in lengths.values():
        encoder.check_length(length, "lengths")
    model = DualEncoder(encoder, pooling="mean", similarity="dot")
    return TextEncoder(Engine(model, at), encoder.tokenizer, prefixes, lengths)


def identity(encoder: TextEncoder) -> str:
    """What stands for an encoder: weights, pooling, tokenizer, prefixes and lengths, not the device or precision."""
    plain = TextEncoder(Engine(encoder.model), encoder.tokenizer, encoder.prefixes, encoder.lengths)
    return fingerprint([plain.fingerprint(), encoder.prefixes["query"], str(encoder.lengths["query"])])


def vectors_of(
    encoder: TextEncoder,
    records: Mapping[str, Query] | Mapping[str, Document],
    side: Side,
    *,
    key: str,
    cache: str | Path | None = None,
) -> Vectors:
    """The vectors `[N, H]` of the records' texts in their order, computed once where there is a `cache`.

    `key` is `identity(encoder)`.
    """
    tokens = None if cache is None else str(cache)

    def encoded() -> Vectors:
        return encoder.reader(records, side, list(records), tokens)(np.arange(len(records)))

    if cache is None:
        return encoded()

    def write(folder: Path) -> dict[str, Any]:
        np.save(folder / "vectors.npy", encoded())
        of = f"{of_texts(records)}; {encoder.tokenizer.name_or_path}"
        return {"kind": "vectors", "of": of, "side": side, "encoder": key}

    precision = "" if encoder.engine.at is None else encoder.engine.at.precision
    place = Path(cache).expanduser() / "vectors" / fingerprint([key, precision, side, texts_fingerprint(records)])
    read_manifest(build_once(place, write))
    vectors: Vectors = map_array(place / "vectors.npy")
    return vectors


def describe(encoder: TextEncoder, folder: Path, *, name: str | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the folder's settings say of its encoder, as plain values; one without a `name` is copied into the folder.

    Args:
        encoder: to be found again.
        folder: of the topics.
        name: a hub name or folder that `config`, an encoder's node, loads it from; `None` copies it.
        config: a node of `encoder`, or of a copied one's `architecture`.
    """
    about = {"identity": identity(encoder), "prefixes": dict(encoder.prefixes), "lengths": dict(encoder.lengths)}
    if name is not None:
        return {**about, "name": name, "settings": dict(config)}
    recipe = Recipe.of({"architecture": dict(config)}, encoder.model.encoder)
    write_model_folder(folder / FOLDER, recipe, encoder.model.state_dict())
    return about


def restored(folder: Path, about: Mapping[str, Any], at: Computing) -> TextEncoder:
    """The encoder of a folder of topics. Raises `ConfigError` for one that is gone or no longer the same."""
    # From its name, or from the files in the folder.
    if "name" in about:
        encoder = Encoder(about["name"], build(OmegaConf.create(about["settings"])))
        found = mean_pooled(encoder, about["prefixes"], about["lengths"], at)
    else:
        saved = read_saved(folder / FOLDER)
        with saved.recipe.encoder_folder() as files:
            encoder = Encoder(files, weights=False)
        model = build(OmegaConf.create(saved.recipe.config["architecture"]), encoder).float()
        model.load_state_dict(saved.weights)
        found = TextEncoder(Engine(model.eval(), at), encoder.tokenizer, about["prefixes"], about["lengths"])

    # Vectors of another encoder would give topics that mean nothing.
    if identity(found) != about["identity"]:
        place = about.get("name", folder / FOLDER)
        problem = f"the encoder {place} is not the one that the topics in {folder} were learnt with"
        raise ConfigError(f"{problem}; put that one back, or learn the topics again with clir topics")
    return found
