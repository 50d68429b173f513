"""`TextVectors`: the vectors of many texts below each other on the CPU, looked up many texts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from clir_lightning.errors import ConfigError

TOKEN = torch.float16  # 11 binary digits; bfloat16's 8 swap documents (docs/lab-notes.md)


class TextVectors(Mapping[int, Tensor]):
    """Vectors by their texts' numbers: one per text, kept in 32 bits, or one per token, kept in 16.

    As a mapping it gives each text's in 32 bits, `[P]`, or `[T, P]` of its T tokens. No two texts have one number.
    """

    def __init__(self) -> None:
        self.tokens = False  # whether there is a vector per token
        self._new: list[tuple[Tensor, Tensor]] = []  # [·] numbers and counts that came since the last look
        self._blocks: list[Tensor] = []  # [·, P] their vectors
        self._numbers = torch.zeros(0, dtype=torch.long)  # [N] in the order of the texts' vectors
        self._counts = torch.zeros(0, dtype=torch.long)  # [N] vectors of each text
        self._table = torch.zeros(0, 0)  # [1 + Σ counts, P] under a vector of zeros

    def add(self, numbers: Sequence[int], vectors: Tensor, counts: Tensor | None = None) -> None:
        """Keep N texts with these numbers.

        Args:
            numbers: N of them.
            vectors: `[N, P]`, or with `counts` `[Σ T, P]` of the tokens of all texts in turn.
            counts: `[N]` tokens T of each text.

        Raises `ConfigError` for a token's vector that does not fit in 16 bits.
        """
        self.tokens = counts is not None
        if self.tokens:
            short = vectors.to(TOKEN)
            if bool((short.isinf() & vectors.isfinite()).any()):
                raise ConfigError(
                    f"a token's vector holds {vectors.abs().max():.6g}; kept in 16 bits it may hold 65504 at most: "
                    "let the architecture's `encode` scale the vectors of tokens to length 1"
                )
            vectors = short
        own = torch.tensor(numbers, dtype=torch.long)
        self._new.append((own, torch.ones_like(own) if counts is None else counts.cpu()))
        self._blocks.append(vectors.cpu())

    def _settle(self) -> None:
        """Put what came since the last look below the rest, block by block: the vectors never take memory twice."""
        if not self._blocks:
            return
        width = self._blocks[0].shape[1]
        blocks = [self._table if len(self._table) else self._blocks[0].new_zeros(1, width), *self._blocks]
        self._table = self._blocks[0].new_empty(sum(map(len, blocks)), width)
        self._blocks = []
        blocks.reverse()
        start = 0
        while blocks:
            block = blocks.pop()
            self._table[start : start + len(block)] = block
            start += len(block)

        # Where each text's vectors begin, and the numbers in order to be searched.
        self._numbers = torch.cat([self._numbers, *(numbers for numbers, _ in self._new)])
        self._counts = torch.cat([self._counts, *(counts for _, counts in self._new)])
        self._new = []
        self._first = 1 + self._counts.cumsum(0) - self._counts
        self._sorted, self._place = self._numbers.sort()

    def outline(self) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers `[N]`, numbers of vectors `[N]` and vectors `[Σ counts, P]` of all texts, as they came."""
        self._settle()
        return self._numbers, self._counts, self._table[1:]

    def places(self, numbers: Tensor) -> Tensor:
        """Where among the texts those with these numbers are, `[M]`; −1 for one that is not there."""
        if not len(self):
            return torch.full_like(numbers, -1)
        nearest = torch.searchsorted(self._sorted, numbers).clamp(max=len(self._sorted) - 1)
        return torch.where(self._sorted[nearest] == numbers, self._place[nearest], -1)

    def take(self, numbers: Tensor) -> Tensor:
        """The vectors of texts that are there, as they are kept, `[M, P]`, or `[M, T, P]` with zeros to the longest T.

        One copy, whatever M: for one transfer to a device.
        """
        places = self.places(numbers)
        first = self._first[places]
        if not self.tokens:
            return self._table.index_select(0, first)

        # The vector of zeros stands behind the ends of the shorter texts.
        counts = self._counts[places]
        steps = torch.arange(max(1, int(counts.max())))
        cells = torch.where(steps < counts[:, None], first[:, None] + steps, 0)
        return self._table.index_select(0, cells.flatten()).view(*cells.shape, -1)

    @property
    def cells(self) -> int:
        """The numbers that the largest text takes, T·P."""
        self._settle()
        return int(self._counts.max()) * self._table.shape[1]

    def __getitem__(self, number: int) -> Tensor:
        place = int(self.places(torch.tensor([number])))
        if place < 0:
            raise KeyError(number)
        first = int(self._first[place])
        vectors = self._table[first : first + int(self._counts[place])].float()
        return vectors if self.tokens else vectors[0]

    def __iter__(self) -> Iterator[int]:
        self._settle()
        return iter(self._numbers.tolist())

    def __len__(self) -> int:
        self._settle()
        return len(self._numbers)
