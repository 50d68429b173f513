"""A fact about a machine, and facts as text."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LOOK = "look"  # something is missing or odd, and trainings run
BROKEN = "broken"  # no training runs
MARKS = {"": " ", LOOK: "?", BROKEN: "!"}
NAMES = 14  # columns that a fact's name has


@dataclass(frozen=True)
class Fact:
    """A line: what it is of, what was found with the cure where there is need of one, and how bad that is."""

    name: str
    value: str
    state: str = ""


def safely(name: str, find: Callable[[], Fact | Iterable[Fact]]) -> list[Fact]:
    """What `find` finds; whatever it raises is a fact as well, since a broken package may raise anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = find()
            return [found] if isinstance(found, Fact) else list(found)
    except (Exception, SystemExit) as error:
        return [Fact(name, f"cannot be found out ({brief(error)})", LOOK)]


def brief(error: BaseException) -> str:
    """An error in one line.

    >>> brief(ValueError("two\\n  lines"))
    'ValueError: two lines'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".removesuffix(": ")


def lines(groups: Sequence[tuple[str, Sequence[Fact]]], width: int) -> list[str]:
    """Groups of facts under their titles, names and values aligned, in lines of `width` columns where words allow.

    >>> print("\\n".join(lines([("disk", [Fact("cache", "/a/folder with 3 GB free")])], 32)))
    disk
      cache          /a/folder with
                     3 GB free
    """
    text = []
    for title, facts in groups:
        text.append(title)
        for fact in facts:
            start = f"{MARKS[fact.state]} {fact.name:<{NAMES}} "
            text += textwrap.wrap(
                fact.value,
                width,
                initial_indent=start,
                subsequent_indent=" " * len(start),
                break_long_words=False,
                break_on_hyphens=False,
            ) or [start.rstrip()]
    return text
