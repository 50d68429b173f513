"""A long text in parts that a model can read: between sentences where it can be, else between words, else anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable

# Where a sentence ends: with a space behind it, or without one in scripts that need none.
_SENTENCE = re.compile(r"[.!?…։؟۔।॥][\"'»”’)\]]*\s+|[。！？｡．။።។][”’」』）]*\s*")
_WORD = re.compile(r"\s+")


def chunks(text: str, limit: int, length: Callable[[str], int]) -> list[str]:
    """The text in parts of at most `limit`, as `length` counts; a single character stays whatever its length.

    >>> chunks("One two. Three four. Five.", 20, len)
    ['One two.', 'Three four. Five.']
    """
    text = text.strip()
    if len(text) < 2 or length(text) <= limit:
        return [text]
    cut = _cut(text)
    return [*chunks(text[:cut], limit, length), *chunks(text[cut:], limit, length)]


def _cut(text: str) -> int:
    """Where to halve a text: the best border in its middle half, the nearest to the middle."""
    middle = len(text) / 2
    for border in (_SENTENCE, _WORD):
        ends = [match.end() for match in border.finditer(text) if middle / 2 <= match.end() <= middle * 3 / 2]
        if ends := [end for end in ends if 0 < end < len(text)]:
            return min(ends, key=lambda end: (abs(end - middle), -end))
    return len(text) // 2
