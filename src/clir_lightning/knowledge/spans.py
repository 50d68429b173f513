"""Where in a text names begin and end, and the longest of them in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from clir_lightning.errors import ConfigError

Span = tuple[int, int]

# Scripts without blanks between words: Chinese and Japanese, Thai, Lao, Burmese and Khmer.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
SHORTEST = 2  # characters of a name that is looked for within a text


@cache
def _kind(character: str) -> int:
    """Of a word (1), of a script without blanks (2), or neither (0)."""
    # Letters, numbers, and marks, without which a word of Devanagari would fall apart.
    return 2 if _UNSPACED.match(character) else int(unicodedata.category(character)[0] in "LMN")


def is_bound(text: str, place: int) -> bool:
    """Whether a name may begin or end before `text[place]`: anywhere but between two letters of a word.

    >>> is_bound("қазақ тілі", 5), is_bound("қазақ тілі", 3), is_bound("哈萨克语", 3), is_bound("iPhone手机", 6)
    (True, False, True, True)
    """
    return place in (0, len(text)) or not _kind(text[place - 1]) == _kind(text[place]) == 1


def heads(text: str, most: int) -> Iterator[str]:
    """The beginnings of a text that may be names, the longest first, of `most` characters at most.

    >>> list(heads("Алматы қаласы", 100)), list(heads("哈萨克语", 3))
    (['Алматы қаласы', 'Алматы'], ['哈萨克', '哈萨'])
    """
    for stop in range(min(len(text), most), SHORTEST - 1, -1):
        if is_bound(text, stop) and text[stop - 1] != " ":
            yield text[:stop]


class Finder:
    """Finds names in a text by the automaton of Aho and Corasick (1975), in time linear in the text.

    A million Chinese names take 180 MB and 15 seconds to build it. Raises `ConfigError` without pyahocorasick.
    """

    def __init__(self, names: Iterable[str]) -> None:
        try:
            import ahocorasick
        except ImportError:
            raise ConfigError(
                "names within a text are found by pyahocorasick: pip install 'clir-lightning[graph]'"
            ) from None

        # The lengths of names are all that is stored: what they name is looked up in the graph.
        self._automaton: Any = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
        for name in names:
            if len(name) >= SHORTEST and any(map(_kind, name)):
                self._automaton.add_word(name)
        self._automaton.make_automaton()

    def spans(self, text: str, most: int) -> list[Span]:
        """Names in the text that don't overlap, `most` at most: the longest first, and of equal ones the leftmost."""
        if not len(self._automaton):
            return []
        ends = ((stop + 1 - length, stop + 1) for stop, length in self._automaton.iter(text))
        found = [(start, stop) for start, stop in ends if is_bound(text, start) and is_bound(text, stop)]

        # Of two that overlap the longer one stays: its characters are taken.
        taken = bytearray(len(text))
        chosen: list[Span] = []
        for start, stop in sorted(found, key=lambda span: (span[0] - span[1], span[0])):
            if len(chosen) == most:
                break
            if not any(taken[start:stop]):
                taken[start:stop] = b"\x01" * (stop - start)
                chosen.append((start, stop))
        return chosen
