"""Paired tests between two systems over the same queries, and Holm's correction for several of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Floats = NDArray[np.float64]

CHUNK = 2048  # sign patterns at a time
RELATIVE = 1e-12  # sums that differ by less than this share of the sum of all differences are equal


def randomisation_test(differences: Floats, *, samples: int = 100_000, seed: int = 0) -> Floats:
    """Two-sided p-values `[M]` of Fisher's paired randomisation test, for M measures' differences `[Q, M]` at once.

    If the two systems were alike, each query's difference could as well have the other sign. p is the share of sign
    patterns whose mean difference is at least as far from 0 as the one found (Smucker, Allan and Carterette, 2007):
    exact over all 2^n patterns where at most `samples` are enough for the n queries that differ, else of `samples`
    patterns drawn by `seed`, the one found counted among them. Without a difference p is 1.

    >>> randomisation_test(np.array([[0.1], [0.2], [0.3], [0.0]]))  # 2 of the 8 patterns: all +, all -
    array([0.25])
    """
    return np.array([_one(column[column != 0], samples, seed) for column in differences.T])


def _one(differences: Floats, samples: int, seed: int) -> float:
    count = len(differences)
    if count == 0:
        return 1.0
    exact = count < 62 and 2**count <= samples
    patterns = 2**count if exact else samples

    # Sums stand for means: all patterns are of the same queries. A little less than what was found allows for rounding.
    total = differences.sum()
    threshold = abs(total) - RELATIVE * np.abs(differences).sum()

    # In parts of `[CHUNK, Q]`; a flipped difference leaves the sum and comes back negative, hence the 2.
    extreme = 0
    rng = np.random.default_rng(seed)
    for start in range(0, patterns, CHUNK):
        size = min(CHUNK, patterns - start)
        flips = _all_flips(start, size, count) if exact else _drawn_flips(rng, size, count)
        extreme += int((np.abs(total - 2 * (flips @ differences)) >= threshold).sum())
    return extreme / patterns if exact else (extreme + 1) / (patterns + 1)


def _all_flips(start: int, size: int, count: int) -> Floats:
    """Rows `start` to `start + size` of the table of all patterns: the bits of the row's number."""
    numbers = np.arange(start, start + size)[:, None]
    return (numbers >> np.arange(count) & 1).astype(np.float64)


def _drawn_flips(rng: np.random.Generator, size: int, count: int) -> Floats:
    drawn = np.frombuffer(rng.bytes(size * -(-count // 8)), dtype=np.uint8).reshape(size, -1)
    return np.unpackbits(drawn, axis=1)[:, :count].astype(np.float64)


def t_test(differences: Floats) -> Floats:
    """Two-sided p-values `[M]` of Student's paired t-test on differences `[Q, M]`; 1 where nothing can be said.

    >>> t_test(np.array([[1.0], [2.0], [3.0]])).round(4)  # t = 2 / (1 / sqrt 3) with 2 degrees of freedom
    array([0.0742])
    """
    count = len(differences)
    means = differences.mean(axis=0) if count else np.zeros(differences.shape[1])
    if count < 2:
        return np.ones_like(means)
    error = differences.std(axis=0, ddof=1) / np.sqrt(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(count - 1, -np.abs(means / error))
    return np.where(means == 0, 1.0, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979): below α after it, a family of tests errs with a chance of at most α.

    >>> holm([0.01, 0.04, 0.03])  # 3 · .01; 2 · .03; and 1 · .04, which may not be below the one before
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def wins_ties_losses(differences: Floats) -> list[tuple[int, int, int]]:
    """For each measure: queries with a positive difference, with none, and with a negative one.

    >>> wins_ties_losses(np.array([[0.1], [0.0], [-0.2], [0.3]]))
    [(2, 1, 1)]
    """
    return [(int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum())) for d in differences.T]
