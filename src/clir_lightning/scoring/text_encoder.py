"""A trained dual model as a function from texts to vectors, with the prefixes and lengths that it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.samplers import cut_by_budget
from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.tokens.table import as_rows, tokenise, tokenizer_fingerprint
from clir_lightning.data.tokens.texts import Side, TextAssembler, TextTemplate
from clir_lightning.models.dual import DualEncoder
from clir_lightning.types import Document, Query

Vectors = NDArray[np.float32]  # [N, P]
Rows = NDArray[np.int64]
BATCH_TOKENS = 16384


@dataclass(frozen=True)
class TextEncoder:
    """Texts to vectors.

    Args:
        model: a dual model; put on the device it shall run on.
        tokenizer: its encoder's.
        prefixes, lengths: of each side, as in training.
        batch_tokens: tokens encoded at a time, padding included.
        dtype: what the encoder's multiplications run in, by autocasting; `None` for the weights' own.
    """

    model: DualEncoder
    tokenizer: PreTrainedTokenizerBase
    prefixes: Mapping[Side, str]
    lengths: Mapping[Side, int]
    batch_tokens: int = BATCH_TOKENS
    dtype: torch.dtype | None = None

    @property
    def width(self) -> int:
        """Size of a vector."""
        return self.model.width

    def fingerprint(self) -> str:
        """What stands for the documents' side: weights, pooling, tokenizer, prefix, length and precision."""
        weights = self.model.state_dict()
        names = [name for name in weights if not name.startswith("temperature")]
        model, prefix, length = self.model, self.prefixes["document"], self.lengths["document"]
        settings = (model.pooling, model.cosine, prefix, length, str(self.dtype))
        parts = (weights[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data for name in names)
        shapes = repr([(name, tuple(weights[name].shape), str(weights[name].dtype)) for name in names])
        return fingerprint([shapes, repr(settings), tokenizer_fingerprint(self.tokenizer), *parts])

    def reader(
        self,
        records: Mapping[str, Query] | Mapping[str, Document],
        side: Side,
        ids: Sequence[str],
        cache: str | None = None,
    ) -> Callable[[Rows], Vectors]:
        """A function from places in `ids`, `[n]`, to the vectors of those records' texts, `[n, P]`.

        The records are tokenised now, into the token store of `cache` if there is one.
        """
        table = tokenise(records, self.tokenizer, name=f"{side} texts", cache=cache)
        template = TextTemplate.of(self.tokenizer, self.prefixes[side])
        texts, rows = TextAssembler(table, template, self.lengths[side]), as_rows(table.index, ids)
        return lambda places: encode_rows(self.model, texts, rows[places], side, self.batch_tokens, self.dtype)


@torch.inference_mode()
def encode_rows(
    model: DualEncoder,
    texts: TextAssembler,
    rows: Rows,
    side: Side,
    batch_tokens: int = BATCH_TOKENS,
    dtype: torch.dtype | None = None,
) -> Vectors:
    """The vectors `[N, P]` in the order of `rows`, on the model's device; texts of like length are encoded together.

    With a `dtype` the encoder's multiplications are cast to it; the vectors keep 32 bits.
    """
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    vectors = np.empty((len(rows), model.width), np.float32)
    lengths = texts.lengths(rows)
    order = np.argsort(-lengths, kind="stable")
    for cut in cut_by_budget(lengths[order], width=1, tokens=batch_tokens, size=None):
        batch = texts.texts(rows[order[cut]]).to(device)
        with nullcontext() if dtype is None else torch.autocast(device.type, dtype):
            encoded = model.encode(batch, side)
        vectors[order[cut]] = encoded.float().cpu().numpy()
    model.train(training)
    return vectors
