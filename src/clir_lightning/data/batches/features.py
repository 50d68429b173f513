"""What a pair of texts has beside its tokens, for architectures with inputs of their own.

Such an architecture and its features are one file of configuration, with `CLIR_ALLOW=mine` in the environment:

    # @package _global_
    architecture: {_target_: mine.Model}
    batches: {features: {overlap: {_target_: mine.Overlap}}}

`mine.Model` then reads `batch.extra["overlap"]`, `[B·D, …]`, in training, validation and every later scoring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from clir_lightning.data.collection import Split
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


@runtime_checkable
class Prepared(Protocol):
    """What a feature may offer besides: the work of all texts at once, and what stands for its content."""

    def prepare(self, queries: Mapping[str, Query], documents: Mapping[str, Document], cache: str | None) -> None:
        """Called with a split's queries and its collection's documents before any of their pairs is asked for.

        `cache` is a folder for what takes long to find out.
        """
        ...

    def fingerprint(self) -> str:
        """What decides its numbers beside the texts: of a folder its content, which its path does not tell."""
        ...


def prepare(features: Mapping[str, Feature], split: Split, cache: str | None) -> None:
    """Have the features that can do so prepare a split's texts."""
    for feature in features.values():
        if isinstance(feature, Prepared):
            feature.prepare(split.queries, split.documents, cache)


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
