"""What a pair of texts has beside its tokens, for architectures with inputs of their own.

Such an architecture and its features are one file of configuration, with `CLIR_ALLOW=mine` in the environment:

    # @package _global_
    architecture: {_target_: mine.Model}
    batches: {features: {overlap: {_target_: mine.Overlap}}}

`mine.Model` then reads `batch.extra["overlap"]`, `[B·D, …]`, in training, validation and every later scoring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.types import Document, Query


class Feature(Protocol):
    """Numbers of query-document pairs that are known before the encoder reads them.

    It is given records, not ids: an id is unique within a split only. Its rows are moved to the device, reordered and
    cut together with the tokens of the same pairs.

    >>> import torch
    >>> def same_start(queries, documents):
    ...     return torch.tensor([float(q.text[0] == d.text[0]) for q, d in zip(queries, documents)])
    >>> texts = [Document("a", "тіл", "kk"), Document("b", "кітап", "kk")]
    >>> same_start([Query("q", "тау", "kk")] * 2, texts)
    tensor([1., 0.])
    """

    def __call__(self, queries: Sequence[Query], documents: Sequence[Document]) -> Tensor:
        """`[N, …]` of N pairs; what follows N is the same in every batch."""
        ...


def extra(
    features: Mapping[str, Feature], queries: Sequence[Query], documents: Sequence[Document]
) -> dict[str, Tensor]:
    """Each feature's tensor `[N, …]` of N pairs. Raises `ConfigError` for one with another number of rows."""
    found = {name: feature(queries, documents) for name, feature in features.items()}
    for name, rows in found.items():
        if rows.shape[:1] != (len(queries),):
            raise ConfigError(
                f"batches.features.{name} gives a tensor of shape {tuple(rows.shape)} for {len(queries)} pairs; "
                "it must have one row per pair"
            )
    return found
