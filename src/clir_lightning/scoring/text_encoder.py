"""A trained dual model as a function from texts to vectors, with the prefixes and lengths that it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.tokens.table import as_rows, tokenise, tokenizer_fingerprint
from clir_lightning.data.tokens.texts import Side, TextAssembler, TextTemplate
from clir_lightning.models.dual import DualEncoder
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.weights import weight_parts
from clir_lightning.types import Document, Query

Vectors = NDArray[np.float32]  # [N, P]


@dataclass(frozen=True)
class TextEncoder:
    """Texts to vectors.

    Args:
        engine: of a `DualEncoder`, with the device and precision to encode in.
        tokenizer: its encoder's.
        prefixes, lengths: of each side, as in training.
    """

    engine: Engine
    tokenizer: PreTrainedTokenizerBase
    prefixes: Mapping[Side, str]
    lengths: Mapping[Side, int]

    @property
    def model(self) -> DualEncoder:
        """The model behind it."""
        model: DualEncoder = self.engine.model
        return model

    @property
    def width(self) -> int:
        """Size of a vector."""
        return self.model.width

    def fingerprint(self) -> str:
        """What stands for the documents' side: weights, pooling, tokenizer, prefix, length and precision."""
        model = self.model
        dtype = None if self.engine.at is None else self.engine.at.dtype
        settings = (model.pooling, model.cosine, self.prefixes["document"], self.lengths["document"], str(dtype))

        # All weights but the temperature, which changes no vector.
        weights = {name: weight for name, weight in model.state_dict().items() if not name.startswith("temperature")}
        shapes, *contents = weight_parts(weights)
        return fingerprint([shapes, repr(settings), tokenizer_fingerprint(self.tokenizer), *contents])

    def reader(
        self,
        records: Mapping[str, Query] | Mapping[str, Document],
        side: Side,
        ids: Sequence[str],
        cache: str | None = None,
    ) -> Callable[[NDArray[np.int64]], Vectors]:
        """A function from places in `ids`, `[n]`, to the vectors of those records' texts, `[n, P]`.

        The records are tokenised now, into the token store of `cache` if there is one. Without one the function shows
        its progress; with one, vectors are stored block by block, which shows it.
        """
        table = tokenise(records, self.tokenizer, name=f"{side} texts", cache=cache)
        template = TextTemplate.of(self.tokenizer, self.prefixes[side])
        texts = TextAssembler(table, template, self.lengths[side])
        rows = as_rows(table.index, ids)
        bar = f"encoding {side} texts" if cache is None else None

        def read(places: NDArray[np.int64]) -> Vectors:
            return self.engine.encode(texts, rows[places], side, name=bar)

        return read
