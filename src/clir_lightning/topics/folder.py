"""`Topics`: a topic model with its encoder and words, and the folder that it lies in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.store.replacing import replacing, unchanged
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError
from clir_lightning.scoring.computing import Computing, computing
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.topics.encoding import describe, restored, vectors_of
from clir_lightning.topics.model import SIDES, TopicModel
from clir_lightning.topics.words import Vocabulary
from clir_lightning.types import Document, Query

SETTINGS = "topics.json"
WEIGHTS = "topics.safetensors"
POOL = "pool.safetensors"  # topics of some texts of each side, for the control that shuffles them
FORMAT = 1
AGAIN = "give a folder that clir topics wrote, whole"
ROWS = 8192  # texts through the network at a time

Theta = NDArray[np.float32]  # [N, K]


@dataclass(frozen=True)
class Topics:
    """What gives a text its topics.

    Args:
        model: in evaluation mode.
        encoder: gives the model's vectors.
        vocabularies: the words of each side that the model has a decoder for.
        key: the encoder's `identity`.
    """

    model: TopicModel
    encoder: TextEncoder
    vocabularies: Mapping[Side, Vocabulary]
    key: str

    def theta(
        self,
        records: Mapping[str, Query] | Mapping[str, Document],
        side: Side,
        *,
        cache: str | Path | None = None,
    ) -> Theta:
        """Topics `[N, K]` of the records' texts in their order; the vectors are kept in `cache`."""
        vectors = vectors_of(self.encoder, records, side, key=self.key, cache=cache)
        found = np.empty((len(vectors), self.model.topics), np.float32)
        model = self.model.eval()
        with torch.inference_mode():
            for start in range(0, len(vectors), ROWS):
                part = torch.from_numpy(np.array(vectors[start : start + ROWS])).to(model.device)
                found[start : start + ROWS] = model(part, side).cpu().numpy()
        return found

    def write(
        self,
        folder: Path,
        *,
        pool: Mapping[Side, Theta],
        encoder: Mapping[str, Any],
        about: Mapping[str, Any],
        files: Mapping[str, str],
    ) -> None:
        """Write the folder; what stands there is replaced in one step.

        Args:
            folder: its place.
            pool: topics of some texts of each side.
            encoder: `name` and `config` for `describe`.
            about: what else the settings are to hold, plain values, `model` with `TopicModel`'s among them.
            files: further files, name to text.
        """
        with replacing(folder) as partial:
            weights = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items()}
            save_file(weights, partial / WEIGHTS)
            save_file({side: torch.from_numpy(rows) for side, rows in pool.items()}, partial / POOL)
            settings = {"format": FORMAT, "encoder": describe(self.encoder, partial, **encoder), **about}
            words = {f"words.{side}.txt": "\n".join(each.words) for side, each in self.vocabularies.items()}
            texts = {SETTINGS: json.dumps(settings, ensure_ascii=False, indent=1), **words, **files}
            for name, text in texts.items():
                (partial / name).write_text(text.removesuffix("\n") + "\n", encoding="utf-8")
            for name in (WEIGHTS, POOL):  # their library lets nobody else read them
                (partial / name).chmod((partial / SETTINGS).stat().st_mode)

    @classmethod
    def read(cls, folder: Path, at: Computing | None = None) -> Topics:
        """The topics of a folder, wherever it lies. Raises `ConfigError` for none, a damaged one, another encoder."""
        return unchanged(folder, lambda place: cls._read(place, computing("auto") if at is None else at))

    @classmethod
    def _read(cls, folder: Path, at: Computing) -> Topics:
        settings = read_settings(folder)
        try:
            model = TopicModel(**settings["model"])
            model.load_state_dict(load_file(folder / WEIGHTS))
            found = {side: folder / f"words.{side}.txt" for side in SIDES if (folder / f"words.{side}.txt").is_file()}
            words = {side: Vocabulary(tuple(_lines(path))) for side, path in found.items()}
            about = settings["encoder"]
            key = str(about["identity"])
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            told = " ".join(str(error).split())[:200]
            raise ConfigError(f"{folder} holds topics that cannot be read ({told}); {AGAIN}") from error
        return cls(model.eval(), restored(folder, about, at), words, key)


def _lines(path: Path) -> list[str]:
    """A word a line; no other sign ends one."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of a folder of topics. Raises `ConfigError` where there are none, or of a later format."""
    file = folder / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        number = int(settings["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = "is missing" if not file.exists() else f"cannot be read ({error})"
        raise ConfigError(f"{file} {told}; {AGAIN}") from error
    if number != FORMAT:
        raise ConfigError(f"{folder} holds topics of format {number}, and this version reads {FORMAT}; {AGAIN}")
    return settings


def read_pool(folder: Path, side: Side) -> Theta:
    """Topics of some texts of a side."""
    try:
        rows: Theta = load_file(folder / POOL)[side].numpy()
    except (OSError, SafetensorError, KeyError) as error:
        raise ConfigError(f"{folder / POOL} is missing or damaged; {AGAIN}") from error
    return rows


def content_of(folder: Path) -> str:
    """A fingerprint of all that decides a text's topics, the encoder's weights by what the settings say of them."""
    return unchanged(folder, _content)


def _content(folder: Path) -> str:
    settings = read_settings(folder)
    try:
        contents = [(folder / name).read_bytes() for name in (WEIGHTS, POOL)]
    except OSError as error:
        raise ConfigError(f"{error.filename} is missing or cannot be read; {AGAIN}") from error
    return fingerprint([json.dumps([settings["encoder"], settings["model"]], sort_keys=True), *contents])
