"""`encoder=hf`: a pretrained encoder by name or folder, perhaps with the pieces alone that a collection needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clir_lightning.data.collection import Collection
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import EncoderSettings
from clir_lightning.models.trimming import CollectionTexts, trimmed_folder


@dataclass(frozen=True)
class PretrainedEncoder(EncoderSettings):
    """A pretrained encoder and its settings.

    Args:
        name: a hub name or a folder.
        trim_vocabulary: leave out the pieces that the collection's texts do not need (`models/trimming.py`); its texts
            are read, and their states computed, exactly as before.
    """

    name: str
    trim_vocabulary: bool = False

    def prepare(
        self,
        collection: Collection,
        train: str,
        folder: Path,
        seed: int,
        *,
        prefixes: Sequence[str] = (),
        cache: str | None = None,
    ) -> str:
        """The name itself, or the folder of the trimmed encoder: in `cache`, made once, or without one `folder`.

        `prefixes` are what batches put before texts.
        """
        if not self.trim_vocabulary:
            return self.name
        texts = CollectionTexts(collection, prefixes)
        return trimmed_folder(self.name, lambda: Encoder(self.name), texts, folder, cache)
