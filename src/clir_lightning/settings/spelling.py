"""Which of the names that there are may be meant by one that isn't."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ALIKE = 0.7  # from here on, of 1, one name may be meant by another
BEHIND = 0.15  # so much less alike than the nearest is named no more
AFTER = 0.01  # for each part of the typed name that is left out


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The names that are most like one that isn't there, the likeliest first; none where nothing is like it.

    What follows the last dots counts too; dots and underscores do not.

    >>> nearest("datamodule.batchsize", ["batches.size", "encoder.name"])
    ['batches.size']
    >>> nearest("optimizer.lr", ["seed", "optimizer.learning_rate"])
    ['optimizer.learning_rate']
    """
    scores = {each: _likeness(name, each) for each in known}
    best = max(scores.values(), default=0.0)
    likely = [each for each, score in scores.items() if score >= max(ALIKE, best - BEHIND)]
    return sorted(likely, key=lambda each: (-scores[each], len(each)))[:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest names as a question, or nothing.

    >>> did_you_mean("seeed", ["seed"])
    '; did you mean seed?'
    """
    near = nearest(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _likeness(name: str, other: str) -> float:
    """From 0 to 1: the most that the whole names or their last parts have in common, beside the first ones."""
    best = 0.0
    name, other = _apart(name, other)
    matcher = difflib.SequenceMatcher(autojunk=False)
    for ending in _endings(other):
        matcher.set_seq2(ending)
        for left_out, part in enumerate(_endings(name)):
            matcher.set_seq1(part)
            if min(len(part), len(ending)) > 2:
                best = max(best, matcher.ratio() - AFTER * left_out)

    # The letters that begin the words of a name, a whole word of it, or its beginning.
    short = name.rpartition(".")[2].lower()
    full = other.rpartition(".")[2]
    words = full.split("_")
    if len(short) > 1 and (short in ("".join(word[:1] for word in words), *words) or full.startswith(short)):
        best = max(best, 0.9 if short in words or full.startswith(short) else 0.95)
    return best


def _apart(name: str, other: str) -> tuple[str, str]:
    """Two dotted names without the first parts that they share: a long one would make all its settings alike."""
    parts = name.split("."), other.split(".")
    shared = 0
    while shared < min(map(len, parts)) - 1 and parts[0][shared] == parts[1][shared]:
        shared += 1
    return ".".join(parts[0][shared:]), ".".join(parts[1][shared:])


def _endings(name: str) -> list[str]:
    """A dotted name from each of its parts on, without dots and underscores, the longest first."""
    parts = name.lower().replace("_", "").replace("-", "").split(".")
    return ["".join(parts[start:]) for start in range(len(parts))]
