"""What every kind of batches is told, and what each must be able to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils.data import Dataset, Sampler
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.pairs import Lists
from clir_lightning.data.batches.samplers import TrainingBatches
from clir_lightning.data.collection import Split
from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import Count, Natural
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Document, Run, Sample

AUTO = "auto"
CPU_TOKENS = 4096  # of a scoring batch where nothing measured tells better: what a CPU's caches hold the states of


@dataclass(frozen=True, kw_only=True)
class Batches:
    """How batches are made: the thin base of `PairBatches` and `TextBatches`.

    Args:
        max_length, query_length, document_length: tokens; see the two kinds.
        size: queries in a training batch, over all processes; `None` for no such limit.
        tokens: tokens in a training batch, padding included, over all processes; such batches are sorted by length
            within shuffled mega-batches, and the samples of all epochs drawn beforehand to count their steps. `None`
            for batches of `size` in the order drawn.
        score_size: entries of a scoring batch; `None` for no such limit.
        score_tokens: tokens in a scoring batch, padding included; `auto`, which a job settles by a measurement
            (`scoring.auto`), is `CPU_TOKENS` elsewhere; `None` for no such limit.
        workers: processes that assemble batches beside the training one; `auto`, which a job settles by the device, is
            none elsewhere.
    """

    max_length: Count = 256
    query_length: Count | None = None
    document_length: Count | None = None
    size: Count | None = 32
    tokens: Count | None = None
    score_size: Count | None = None
    score_tokens: Count | Literal["auto"] | None = "auto"
    workers: Natural | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_fields(self, "batches")
        for one, other in (("size", "tokens"), ("score_size", "score_tokens")):
            if getattr(self, one) is getattr(self, other) is None:
                raise ConfigError(f"batches.{one} and batches.{other} are null; give one of them a number from 1")

    @property
    def most_tokens(self) -> int | None:
        """The most tokens of a scoring batch, as a number."""
        return CPU_TOKENS if isinstance(self.score_tokens, str) else self.score_tokens

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What is put before texts."""
        return ()

    def documents(
        self, records: Mapping[str, Document], tokenizer: PreTrainedTokenizerBase, cache: str | None = None
    ) -> Any:
        """The tokens of a collection's documents, which the datasets of all its splits share."""
        raise NotImplementedError

    def dataset(
        self, split: Split, documents: Any, tokenizer: PreTrainedTokenizerBase, *, name: str, cache: str | None = None
    ) -> Any:
        """The dataset of a split's queries, called `name` in the log, with what `documents` gave."""
        raise NotImplementedError

    def scoring(self, run: Run, dataset: Any, **place: int) -> Sampler[Any]:
        """The steps that score a run's candidates once; `place`: `rank` and `world_size` of several processes."""
        raise NotImplementedError

    def cuts(self, dataset: Any, lists: Lists, name: str) -> str:
        """How much of a dataset's texts the lengths cut away, for the log."""
        raise NotImplementedError

    def training(
        self,
        draw: Callable[[int], list[Sample]],
        dataset: Any,
        *,
        epochs: int = 1,
        seed: int = 1,
        **place: int,
    ) -> TrainingBatches:
        """The steps of the epochs whose samples `draw(epoch)` gives."""
        return TrainingBatches(
            draw, size=self.size, tokens=self.tokens, cells=dataset.cells, epochs=epochs, seed=seed, **place
        )

    def loader(self, dataset: Dataset[Any], steps: Sampler[Any], seed: int = 1) -> StepLoader:
        """A batch of each step: the dataset makes whole batches, so that no collation is left to do.

        The loader's own generator leaves the global one, and with it dropout, to training alone.
        """
        workers = 0 if isinstance(self.workers, str) else self.workers
        return StepLoader(
            dataset,
            sampler=steps,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=torch.Generator().manual_seed(seed),
        )
