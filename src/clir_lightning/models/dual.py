"""The dual architecture: a query and a document become a vector each, and their cosine or dot product is the score."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.pooling import POOLINGS
from clir_lightning.models.pooling import pooling as pooling_of
from clir_lightning.settings.markers import Count, OneOf, Positive

# What a run sets for itself in a model's state: no weights to hand on to another run.
TOWERS = ("shared", "separate")
SIMILARITIES = ("cosine", "dot")
RUN_STATE = ("temperature.log_scale", "query_mean", "document_mean")
LARGEST_SCALE = 100.0  # a learnt temperature stays above 0.01 (CLIP, Radford et al., 2021)


class Temperature(nn.Module):
    """A fixed or learnt temperature τ; gives 1/τ."""

    def __init__(self, temperature: float, *, learnt: bool = False) -> None:
        super().__init__()
        if temperature <= 0:
            raise ConfigError(f"architecture.temperature is {temperature}; allowed: numbers above 0")
        if learnt and temperature < 1 / LARGEST_SCALE:
            allowed = f"allowed where it is learnt: {1 / LARGEST_SCALE} or more"
            raise ConfigError(f"architecture.temperature is {temperature}; {allowed}")
        self.log_scale = nn.Parameter(torch.tensor([-math.log(temperature)]), requires_grad=learnt)

    def forward(self) -> Tensor:
        """1/τ, bounded where τ is learnt."""
        if self.log_scale.requires_grad:
            # The weight itself is bounded: behind a bounded output it would get no gradient to come back by.
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        return self.log_scale.exp()[0]


class DualEncoder(nn.Module):
    """Encoder → pooling → projection, of each text alone (Karpukhin et al., 2020; Reimers and Gurevych, 2019).

    Args:
        encoder: gives the states.
        towers: `shared`, one encoder for both sides, or `separate`, a copy for the documents.
        pooling: `cls`, `mean`, `max` or `weighted_mean`.
        projection: size of a linear layer over the pooled vector; `None` for none.
        similarity: `cosine`, which makes all vectors unit vectors, or `dot`.
        temperature: what the similarities are divided by in training.
        learn_temperature: train it from there on.
        dimensions: sizes of shorter vectors, prefixes of the whole one, that the loss is taken over too (Matryoshka,
            Kusupati et al., 2022).
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        towers: Annotated[str, OneOf(TOWERS)] = "shared",
        pooling: Annotated[str, OneOf(POOLINGS)] = "mean",
        projection: Count | None = None,
        similarity: Annotated[str, OneOf(SIMILARITIES)] = "cosine",
        temperature: Positive = 0.05,
        learn_temperature: bool = False,
        dimensions: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        separate = one_of(towers, TOWERS, "architecture.towers") == "separate"
        self.document_encoder = copy.deepcopy(encoder) if separate else None
        self.pooling = pooling
        self._pool = pooling_of(pooling)

        # [B, T, E] states to [B, P] vectors, and what a similarity of two of them is.
        self.projection = None if projection is None else nn.Linear(encoder.width, projection)
        self.width = projection or encoder.width
        self.cosine = one_of(similarity, SIMILARITIES, "architecture.similarity") == "cosine"
        self.temperature = Temperature(temperature, learnt=learn_temperature)
        if any(not 1 <= size < self.width for size in dimensions):
            raise ConfigError(f"architecture.dimensions are {list(dimensions)}; allowed: 1 to {self.width - 1}")
        self.dimensions = tuple(dimensions)

        # Each side's mean vector, subtracted outside of training; zero unless the callback `centring` sets them.
        self.register_buffer("query_mean", torch.zeros(self.width))
        self.register_buffer("document_mean", torch.zeros(self.width))

    @staticmethod
    def outputs(similarity: str = "cosine", **settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these settings of the architecture."""
        given = frozenset({"scores", "similarities", "vectors"})
        return given | {"cosines"} if similarity == "cosine" else given

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """Reject texts longer than the encoder has positions for."""
        self.encoder.check_length(max_length)
        self.encoder.check_length(query_length or 0, "batches.query_length")

    def encode(self, texts: Texts, side: Side) -> Tensor:
        """Vectors `[N, P]`, of length 1 with `similarity: cosine`."""
        tower = self.encoder if side == "query" or self.document_encoder is None else self.document_encoder
        states: Tensor = tower.first(texts)[:, None] if self.pooling == "cls" else tower(texts)
        with full_precision(states):
            vectors: Tensor = self._pool(states, texts.attention_mask)
            if self.projection is not None:
                vectors = self.projection(vectors)
        if not self.cosine:
            return vectors if self.training else vectors - self.mean(side)
        vectors = normalize(vectors, dim=-1)
        return vectors if self.training else normalize(vectors - self.mean(side), dim=-1)

    def mean(self, side: Side) -> Tensor:
        """The mean vector that is subtracted outside of training."""
        mean: Tensor = self.get_buffer(f"{side}_mean")
        return mean

    def similarity(self, queries: Tensor, documents: Tensor) -> Tensor:
        """Cosines or dot products `[B, N]`."""
        with full_precision(queries):
            return queries @ documents.T

    def views(self, encoded: Tensor) -> list[Tensor]:
        """The whole vectors and their prefixes of each size in `dimensions`."""
        prefixes = [encoded[:, :size] for size in self.dimensions]
        return [encoded, *((normalize(prefix, dim=-1) for prefix in prefixes) if self.cosine else prefixes)]

    def scale(self) -> Tensor:
        """1 / temperature."""
        scale: Tensor = self.temperature()
        return scale
