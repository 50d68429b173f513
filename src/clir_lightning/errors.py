"""The errors that a user can cause, each one line that says what was found, what is allowed and the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ClirError(Exception):
    """Base of every error that `clir` prints without a traceback."""


class DataError(ClirError):
    """Something is wrong with a file or a collection.

    >>> print(DataError("empty query", path="zh.jl", line=3, cure="remove the line"))
    zh.jl, line 3: empty query; remove the line
    """

    def __init__(
        self, problem: str, *, path: str | Path | None = None, line: int | None = None, cure: str = ""
    ) -> None:
        where = "" if path is None else f"{path}, line {line}: " if line is not None else f"{path}: "
        super().__init__(where + problem + (f"; {cure}" if cure else ""))


class ConfigError(ClirError):
    """A setting has a value that cannot work."""


def one_of(got: str, allowed: Iterable[str], name: str) -> str:
    """Return `got` if it is among `allowed`; raise `ConfigError` with the nearest spelling otherwise.

    >>> one_of("tset1", ["train", "dev", "test1"], "split")
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: split is 'tset1'; allowed: train, dev, test1; did you mean 'test1'?
    """
    choices = list(allowed)
    if got in choices:
        return got
    near = difflib.get_close_matches(got, choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"{name} is {got!r}; allowed: {', '.join(choices)}{hint}")


def at_least(number: int, least: int, name: str) -> None:
    """`ConfigError` for a setting below its least value."""
    if number < least:
        raise ConfigError(f"{name} is {number}; allowed: {least} or more")
