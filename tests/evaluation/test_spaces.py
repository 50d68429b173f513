"""Vectors as they are, centred and whitened, in two dimensions where every number can be seen."""

from __future__ import annotations

import pytest
import torch

from clir_lightning.errors import DataError
from clir_lightning.evaluation.spaces import Encoded, Space, spaces_of
from clir_lightning.types import Qrels, Run


def encoded() -> Encoded:
    """A query along x, one document along x and one along y; the means are (½, 0) of queries and (0, 2) of documents.

    What is left of the training texts lies evenly along both axes, so that whitening changes lengths alone.
    """
    return Encoded(
        queries=torch.tensor([[1.0, 0.0]]),
        documents=torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        lists=Run({"q": {"a": 2.0, "b": 1.0}}),
        ids=["a", "b"],
        training={
            "query": torch.tensor([[0.5, 1.0], [0.5, -1.0]]),
            "document": torch.tensor([[1.0, 2.0], [-1.0, 2.0]]),
        },
    )


def spaces(relevant: str) -> dict[str, Space]:
    grades = {"a": 0, "b": 0, relevant: 1}
    return {space.name: space for space in spaces_of(encoded(), Qrels({"q": grades}), ["mrr"])}


def test_pairs_spectrum_and_measure_of_vectors_as_they_are() -> None:
    space = spaces("a")["as it is"]
    assert space.positives.tolist() == [1.0]
    assert space.negatives.tolist() == [0.0]
    assert space.spectrum == pytest.approx([2 / 3, 1 / 3])  # two of three unit vectors along x
    assert space.measures == {"mrr": 1.0}
    assert spaces("b")["as it is"].measures == {"mrr": 0.5}


def test_centring_and_whitening_take_each_sides_mean_off() -> None:
    """The query stays (1, 0); the documents become (1, −2) / √5 and (0, −1)."""
    for name in ("centred", "whitened"):
        space = spaces("a")[name]
        assert space.positives.tolist() == pytest.approx([5**-0.5])
        assert space.negatives.tolist() == pytest.approx([0.0], abs=1e-6)


def test_lists_of_one_grade_tell_nothing() -> None:
    with pytest.raises(DataError, match="no query of the split has candidates of different grades; raise depth"):
        spaces_of(encoded(), Qrels({"q": {"a": 1, "b": 1}}), ["mrr"])
