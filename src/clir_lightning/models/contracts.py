"""What an architecture must offer: a `PairModel` scores texts together, a `TextModel` encodes them apart.

Both are `nn.Module`s over one encoder. Training, scoring, search and diagnosis ask nothing else of them, so a class
from elsewhere that has these members can be named as `architecture._target_`.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.errors import ConfigError
from clir_lightning.models.encoder import Encoder


@runtime_checkable
class PairModel(Protocol):
    """Query and document go through the encoder as one text, and come out as a score.

    Attributes:
        encoder: gives the states; its tokenizer makes the batches, its layers learn at rates of their own.
    """

    encoder: Encoder

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these settings of the architecture: `scores`."""
        ...

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """Raise `ConfigError` for pairs of `max_length` tokens, or queries of `query_length`, that it cannot read.

        `query_length` is `None` where queries are not cut.
        """
        ...

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each, in 32 bits, the higher the more relevant."""
        ...

    def __call__(self, batch: PairBatch) -> Tensor:
        """`forward`, as every `nn.Module` is called."""
        ...


@runtime_checkable
class PairText(PairModel, Protocol):
    """A `PairModel` that others build on: it tells of each pair a vector beside the score.

    Attributes:
        vector_width: size V of a pair's vector.
    """

    vector_width: int

    def read(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The pairs' vectors `[N, V]`, and their scores `[N]` as `forward` gives them, in 32 bits."""
        ...


@runtime_checkable
class TextModel(Protocol):
    """Each text goes through the encoder alone; a similarity of what comes out is the score.

    Attributes:
        encoder: of the queries at least; its tokenizer makes the batches.
        width: size P of a vector.
    """

    encoder: Encoder
    width: int

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these settings of the architecture.

        `scores` and `similarities` always; `vectors` where there is one per text; `cosines` where the similarities are.
        """
        ...

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """Raise `ConfigError` for texts longer than the encoder has positions for."""
        ...

    def encode(self, texts: Texts, side: Side) -> Tensor:
        """`[N, P]`, one vector per text, or `[N, T, P]`, one per token with zeros behind a text's end; 32 bits.

        A text's vectors must not depend on the texts that are encoded with it.
        """
        ...

    def similarity(self, queries: Tensor, documents: Tensor) -> Tensor:
        """Scores `[B, N]` of B encoded queries with N encoded documents, before any temperature."""
        ...

    def views(self, encoded: Tensor) -> list[Tensor]:
        """The same texts in each of the sizes that the loss is taken over, the whole vectors first."""
        ...

    def scale(self) -> Tensor:
        """1 / temperature, a scalar that training multiplies similarities with."""
        ...


def missing(model: object, contract: type[PairModel] | type[TextModel]) -> list[str]:
    """The public members of a contract that a model lacks; of a class those that its objects may set do not count."""
    members = [*vars(contract), *([] if isinstance(model, type) else contract.__annotations__)]
    return sorted({name for name in members if not name.startswith("_") and not hasattr(model, name)})


def reads_texts(model: object) -> bool:
    """Whether a model has `encode` and so is a `TextModel`; one without it scores pairs.

    Raises `ConfigError` for one with `encode` that lacks other members, and names them.
    """
    if not hasattr(model, "encode"):
        return False
    check_contract(model)
    return True


def check_contract(model: object) -> None:
    """Raise `ConfigError` for a model, or a class of models, that lacks members of its contract, and name them."""
    contract: type[PairModel] | type[TextModel] = TextModel if hasattr(model, "encode") else PairModel
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    if lacking := missing(model, contract):
        raise ConfigError(
            f"{name} lacks {', '.join(lacking)}; a {contract.__name__} must have them, see "
            "clir_lightning/models/contracts.py"
        )
