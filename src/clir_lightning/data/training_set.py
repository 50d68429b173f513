"""`TrainingSet`: the samples of each epoch, and the batches made of them."""

from __future__ import annotations

import logging
from typing import Any

from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.collection import Collection
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.usage import Usage
from clir_lightning.types import Sample

log = logging.getLogger(__name__)


class TrainingSet:
    """What a training learns from.

    Args:
        collection: documents, queries and judgements.
        name: the split's.
        sampling: draws the samples of an epoch.
        batches: how they are made into batches.
        seed: decides the samples and their order.

    Attributes:
        usage: how many of the split's queries the sampling uses, and why not the others.
        dataset: a step in, a batch out; there after `tokenise`.

    Raises `ConfigError` where the sampling can use no query.
    """

    def __init__(
        self, collection: Collection, name: str, sampling: Sampling, batches: Batches, *, seed: int = 1
    ) -> None:
        self.split = collection.split(name)
        self.name = name
        self.sampling = sampling
        self.batches = batches
        self.seed = seed
        self.dataset: Any = None
        self._drawn: tuple[int, list[Sample]] | None = None
        self.usage = Usage.of(sampling, self.split, self.samples(0)).checked(name)

    def samples(self, epoch: int) -> list[Sample]:
        """The samples of an epoch; the last ones drawn are kept: lengths, shares and batches ask for them."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = epoch, self.sampling(self.split, seed=self.seed, epoch=epoch)
        return self._drawn[1]

    def tokenise(self, tokenizer: PreTrainedTokenizerBase, documents: Any, *, cache: str | None = None) -> None:
        """Tokenise every query once; `documents` are what `batches.documents` gave."""
        self.dataset = self.batches.dataset(self.split, documents, tokenizer, name=self.name, cache=cache)
        lists = [(sample.query_id, sample.document_ids) for sample in self.samples(0)]
        log.info(self.batches.cuts(self.dataset, lists, self.name))

    def loader(self, *, epochs: int = 1, **place: int) -> StepLoader:
        """The batches of an epoch; there will be `epochs`, which the steps are counted over.

        `place`: `rank` and `world_size`, for one process's share.
        """
        if self.dataset is None:
            raise RuntimeError("call tokenise(tokenizer) before asking for batches")
        steps = self.batches.training(self.samples, self.dataset, epochs=epochs, seed=self.seed, **place)
        return self.batches.loader(self.dataset, steps, self.seed)
