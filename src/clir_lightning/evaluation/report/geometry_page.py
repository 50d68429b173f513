"""The page of `clir geometry`: cosines of positive and negative pairs, and spectra, before and after each change."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from clir_lightning.evaluation.report.charts import OTHER, RELEVANT, distribution
from clir_lightning.evaluation.report.markup import Figure, document, key, named, section, table
from clir_lightning.evaluation.report.svg import PALETTE, Frame, lines
from clir_lightning.evaluation.spaces import Space

SHOWN = 100  # directions of a spectrum
LOWEST = -5.0  # log10 of a direction's share; smaller ones lie on the axis


def _cosines(space: Space) -> Figure:
    caption = (
        f"{named(space.name)}{key({'positive': RELEVANT, 'negative': OTHER})}<br>AUC "
        f"{100 * space.geometry.cosines.auc:.1f} %, mean cosine of all pairs {space.geometry.cosines.random_mean:.2f}"
    )
    return caption, distribution(
        space.positives, space.negatives, "cosine", ("positive", "negative"), f"cosines, {space.name}"
    )


def _spectra(spaces: Sequence[Space]) -> Figure:
    longest = min(SHOWN, max(len(space.spectrum) for space in spaces))
    series = []
    for place, space in enumerate(spaces):
        logarithms = np.log10(np.maximum(space.spectrum[:longest], 10**LOWEST)).tolist()
        series.append((space.name, PALETTE[place], list(enumerate(logarithms, start=1))))

    # One line per space, directions from 1.
    frame = Frame((1, longest), (LOWEST, 0.0), width=620, height=320)
    picture = lines(frame, ("direction", "log10 of its share"), "spectra", series)
    return key({name: colour for name, colour, _ in series}), picture


def geometry_page(
    title: str, head: Sequence[str], cells: Sequence[Sequence[str]], spaces: Sequence[Space], sentences: Sequence[str]
) -> str:
    """The whole page."""
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    parts = [
        f"<header><h1>{escape(title)}</h1></header>",
        f"<aside><h2>What the numbers mean</h2><ul>{said}</ul></aside>",
        f"<section>{table(head, cells, 1)}</section>",
    ]

    # Pairs of texts.
    cosines = section(
        "Cosines of positive and negative pairs",
        "Positives are a query's best-graded candidates, negatives its others. Ranking needs them apart within "
        "a query; where they lie on the axis does not matter.",
        [_cosines(space) for space in spaces],
    )

    # The cloud of all.
    spectra = section(
        "Spectra",
        "Each direction's share of the vectors' squared length, the greatest first; one that falls steeply "
        "is a narrow cone.",
        [_spectra(spaces)],
    )
    return document(title, [*parts, cosines, spectra])
