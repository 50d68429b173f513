"""What rankers with knowledge share: vectors of a graph's texts, each encoded once, and a text architecture within."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.samplers import cut_by_budget
from clir_lightning.data.tokens.texts import Texts, lengths_of
from clir_lightning.data.tokens.transfer import sent
from clir_lightning.errors import ConfigError
from clir_lightning.models.contracts import PairText
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.pooling import pooling as pooling_of

KEPT = 1 << 30  # bytes of vectors that are kept at most, or 350,000 texts of an encoder 768 wide
TOKENS = {"cpu": 1 << 12, "cuda": 1 << 15}  # of texts encoded at a time where nothing is learnt


class KeptVectors:
    """Vectors `[H]` by number, in one table on their device that doubles as it fills; full at `KEPT` bytes, it empties.

    While it grows, the smaller table is there too, half as much again at most.

    Attributes:
        state: what they were computed with.
    """

    def __init__(self, width: int, limit: int = KEPT) -> None:
        self.most = max(1, limit // (4 * width))
        self.width = width
        self.forget()

    def forget(self) -> None:
        """Empty the table."""
        self.state: Any = None
        self._places: dict[int, int] = {}
        self._table: Tensor | None = None

    def __len__(self) -> int:
        return len(self._places)

    def missing(self, numbers: Sequence[int]) -> list[int]:
        """The places among `numbers` of those that are not kept."""
        return [place for place, number in enumerate(numbers) if number not in self._places]

    def add(self, numbers: Sequence[int], vectors: Tensor) -> None:
        """Keep the vectors `[n, H]` of numbers that are not kept yet; where they are too many, none."""
        if len(numbers) > self.most:
            return
        used = len(self._places)

        # Twice as much room as is needed, up to the limit.
        need = used + len(numbers)
        if self._table is None or len(self._table) < need:
            grown = vectors.new_empty(min(self.most, 2 * need), self.width)
            if self._table is not None:
                grown[:used] = self._table[:used]
            self._table = grown
        self._table[used:need] = vectors
        self._places.update(zip(numbers, range(used, need), strict=True))

    def make_room(self, count: int) -> None:
        """Empty the table where `count` more do not fit."""
        if len(self._places) + count > self.most:
            state = self.state
            self.forget()
            self.state = state

    def take(self, numbers: Sequence[int]) -> Tensor:
        """The vectors `[n, H]` of kept numbers."""
        assert self._table is not None
        return self._table[sent([self._places[number] for number in numbers], self._table.device)]


class KnowledgeTexts:
    """The vectors of a batch's knowledge texts, by the encoder of the pairs; no module, as the encoder is the model's.

    In training each distinct text of a step is encoded once, however many queries, candidates and parts share it. In
    scoring it is encoded once in a pass: vectors are kept by the texts' numbers, `KEPT` bytes of them at most, until
    `forget` or until weights or precision are others.

    Args:
        encoder: gives the states.
        pooling: how a text's states become its vector, as `architecture.pooling` of dual models.

    Attributes:
        encoded, reused: how many texts were encoded and how many taken from those kept, since this was made.
    """

    def __init__(self, encoder: Encoder, pooling: str = "mean") -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.pool = pooling_of(pooling)
        self.kept = KeptVectors(encoder.width)
        self.encoded = 0
        self.reused = 0
        self._shared: list[tuple[Texts, Tensor]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "kept": KeptVectors(self.encoder.width), "_shared": None}

    def forget(self) -> None:
        """Drop the vectors that are kept."""
        self.kept.forget()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """A context within which parts of one batch have the same vectors, and one graph of gradients."""
        self._shared = []
        try:
            yield
        finally:
            self._shared = None

    def vectors(self, knowledge: KnowledgeBatch) -> Tensor:
        """One vector per text, `[K, H]`, in 32 bits."""
        if torch.is_grad_enabled() or self.encoder.training:
            return self._learnt(knowledge.texts)
        return self._looked_up(knowledge)

    def _learnt(self, texts: Texts) -> Tensor:
        """All encoded, in one pass, which every process of a training makes."""
        for known, vectors in self._shared or ():
            if known is texts:
                self.reused += len(texts)
                return vectors
        vectors = self._encode(texts)
        if self._shared is not None:
            self._shared.append((texts, vectors))
        return vectors

    def _looked_up(self, knowledge: KnowledgeBatch) -> Tensor:
        """Those that are kept, and the others encoded."""
        state = self._state()
        if self.kept.state != state:
            self.kept.forget()
            self.kept.state = state
        numbers: list[int] = knowledge.numbers.tolist()
        if len(numbers) > self.kept.most:
            return self._in_pieces(knowledge.texts, np.arange(len(numbers)))

        # What is new must find room, or the table starts anew, and then all of it is new.
        new = self.kept.missing(numbers)
        self.kept.make_room(len(new))
        new = self.kept.missing(numbers)
        if new:
            self.kept.add([numbers[place] for place in new], self._in_pieces(knowledge.texts, np.array(new)))
        self.reused += len(numbers) - len(new)
        return self.kept.take(numbers) if numbers else self._encode(knowledge.texts)

    def _state(self) -> Any:
        """What vectors depend on beside their texts: weights, their device and the surrounding precision."""
        weights = [(each.data_ptr(), 0 if each.is_inference() else each._version) for each in self.encoder.parameters()]
        device = next(self.encoder.parameters()).device
        precision = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
        return (weights, device, precision, torch.is_inference_mode_enabled())

    def _in_pieces(self, texts: Texts, places: Any) -> Tensor:
        """The texts at these places, `[n, H]`, those of similar length together."""
        lengths = np.array(lengths_of(texts))[places]
        order = np.argsort(-lengths, kind="stable")
        tokens = TOKENS.get(texts.input_ids.device.type, TOKENS["cuda"])
        found = []
        for cut in cut_by_budget(lengths[order], width=1, tokens=tokens, size=None):
            some = texts.rows(places[order[cut]])
            found.append(self._encode(next(some.parts(len(some)))))
        return torch.cat(found)[sent(order.argsort(), texts.input_ids.device)]

    def _encode(self, texts: Texts) -> Tensor:
        """All of them in one pass through the encoder, `[n, H]`."""
        if not len(texts):
            return torch.zeros(0, self.encoder.width, device=texts.input_ids.device)
        self.encoded += len(texts)
        if self.pooling == "cls":
            return self.encoder.first(texts)
        states: Tensor = self.encoder(texts)
        with full_precision(states):
            return self.pool(states, texts.attention_mask)


class KnowledgeRanker(nn.Module):
    """The base of rankers with knowledge: a text architecture within, whose encoder reads the knowledge too.

    Args:
        encoder: gives the states of pairs and of knowledge texts.
        text: makes the text architecture, a `PairText`, from the encoder.
        pooling: of the knowledge texts.
    """

    reads_knowledge = True

    def __init__(self, encoder: Encoder, text: Callable[[Encoder], PairText], *, pooling: str = "mean") -> None:
        super().__init__()
        self.text: Any = text(encoder)
        if not hasattr(self.text, "read"):
            problem = f"architecture.text is {type(self.text).__name__}, which tells no pair's vector"
            raise ConfigError(f"{problem}; allowed: CrossEncoder, CEDR, or another class with read and vector_width")
        self.texts = KnowledgeTexts(encoder, pooling)
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    @property
    def encoder(self) -> Encoder:
        """The text architecture's."""
        encoder: Encoder = self.text.encoder
        return encoder

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these `settings` of the architecture."""
        return frozenset({"scores"})

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """As the text architecture does."""
        self.text.check_lengths(max_length, query_length)

    def known(self, batch: PairBatch) -> KnowledgeBatch:
        """The batch's knowledge. Raises `ConfigError` for a batch that has none."""
        if batch.knowledge is None:
            problem = f"{type(self).__name__} reads a knowledge graph, and the batch has none"
            raise ConfigError(f"{problem}; make batches with batches.knowledge")
        return batch.knowledge

    def train(self, mode: bool = True) -> Self:
        """As every module's; the vectors that were kept are dropped."""
        self.forget()
        return super().train(mode)

    def forget(self) -> None:
        """Drop the vectors that are kept: a pass begins or ends."""
        self.texts.forget()

    def over_parts(self) -> Any:
        """A context within which parts of one batch have its knowledge texts encoded once."""
        return self.texts.shared()


def _loaded(model: KnowledgeRanker, _: Any) -> None:
    """Other weights make other vectors."""
    model.forget()
