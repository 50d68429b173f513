"""What narrows a type within `Annotated`: a text to some texts, a number to a range, a path to one that is there.

pooling: Annotated[str, OneOf(("cls", "mean"))] = "cls"
layers: Count = 2
layer_decay: Annotated[float, Range(above=0, most=1)] = 1.0
run: ExistingPath | None = None
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clir_lightning.errors import ConfigError, one_of


class OneOf:
    """A text that is among these."""

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def check(self, value: str, name: str) -> None:
        """`ConfigError` with the nearest spelling for another text."""
        one_of(value, self.choices, name)


@dataclass(frozen=True, kw_only=True)
class Range:
    """A finite number within limits: at least or above one, at most or below another.

    >>> Range(least=0, below=1).check(1.5, "encoder.dropout")
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: encoder.dropout is 1.5; allowed: 0 or more, below 1
    """

    least: float = -math.inf
    above: float = -math.inf
    below: float = math.inf
    most: float = math.inf

    def check(self, value: float, name: str) -> None:
        """`ConfigError` for another number, one that is not finite among them."""
        if not (self.least <= value <= self.most and self.above < value < self.below):
            words = {"{} or more": self.least, "above {}": self.above, "below {}": self.below, "at most {}": self.most}
            limits = [text.format(limit) for text, limit in words.items() if math.isfinite(limit)]
            raise ConfigError(f"{name} is {value}; allowed: {', '.join(limits)}")


class There:
    """A path of a file or a folder that must be there, for what a job would read late."""

    def check(self, value: str, name: str) -> None:
        """`ConfigError` where nothing is."""
        if not Path(value).expanduser().exists():
            raise ConfigError(f"{name} is {value!r}, and there is no such file or folder")


ExistingPath = Annotated[str, There()]
Count = Annotated[int, Range(least=1)]
Natural = Annotated[int, Range(least=0)]
Amount = Annotated[float, Range(least=0)]
Positive = Annotated[float, Range(above=0)]
Share = Annotated[float, Range(least=0, most=1)]
Dropout = Annotated[float, Range(least=0, below=1)]
