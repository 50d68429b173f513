"""Values beside the types of annotations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import Count, Dropout, ExistingPath, Natural, OneOf, Positive, Range
from clir_lightning.settings.values import allowed, check, check_fields, shown
from clir_lightning.types import Query

POOLING = Annotated[str, OneOf(("cls", "mean"))]
PART = {"_target_": "some.Class"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, bool),
        (3, int),
        (3, float),
        (2.5, float),
        ("3", str),
        (None, int | None),
        ("auto", int | Literal["auto"]),
        (4, int | Literal["auto"]),
        (16, Literal[64, 32, 16] | Literal["16-mixed"] | None),
        ("mean", POOLING),
        (None, POOLING | None),
        (0, Natural),
        (1e-30, Positive),
        (4, Annotated[int, Range(least=2, most=4)]),
        ([], Sequence[int]),
        ([1, 2], Sequence[int] | None),
        ([1, 2.5], list[float]),
        ({"a": 1}, Mapping[str, int]),
        ({"a": {"b": [1]}}, Mapping[str, Any]),
        (PART, Query | None),
        (PART, Callable[..., Query]),
        ({"x": PART}, Mapping[str, Query]),
        (PART, str),
        ("cpu", str | Query),
        ("anything", Any),
        ("anything", Any | None),
        ("1h", timedelta),  # a library's own business
        ("???", int),
    ],
)
def test_what_fits(value: Any, kind: Any) -> None:
    if value is PART and kind is str:
        with pytest.raises(ConfigError):
            check(value, kind, "x")
    else:
        check(value, kind, "x")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("maybe", bool, "x is 'maybe'; allowed: true, false"),
        (1, bool, "x is 1; allowed: true, false"),
        (True, int, "x is true; allowed: a whole number"),
        (1.5, int, "x is 1.5; allowed: a whole number"),
        (2.0, int, "x is 2.0; allowed: a whole number"),
        (None, int, "x is null; allowed: a whole number"),
        (True, float, "x is true; allowed: a number"),
        ("ten", int | float | None, "x is 'ten'; allowed: a number, null"),
        (7, str, "x is 7; allowed: a text; as a text: \"x='7'\""),
        ([3], str | None, "x is [3]; allowed: a text, null"),
        ("atuo", int | Literal["auto"], "x is 'atuo'; allowed: a whole number, auto; did you mean 'auto'?"),
        (True, Literal[1, 2], "x is true; allowed: 1, 2"),
        ("meen", POOLING, "x is 'meen'; allowed: cls, mean; did you mean 'mean'?"),
        ("meen", POOLING | None, "x is 'meen'; allowed: cls, mean, null; did you mean 'mean'?"),
        (3, POOLING, "x is 3; allowed: cls, mean"),
        (-1, Natural, "x is -1; allowed: 0 or more"),
        (-1, Natural | None, "x is -1; allowed: 0 or more"),
        ("a", Natural | None, "x is 'a'; allowed: a whole number, null"),
        (1.0, Dropout, "x is 1.0; allowed: 0 or more, below 1"),
        (-0.1, Dropout | None, "x is -0.1; allowed: 0 or more, below 1"),
        (0, Positive, "x is 0; allowed: above 0"),
        (0, Positive | None, "x is 0; allowed: above 0"),
        (True, Positive | None, "x is true; allowed: a number, null"),
        (math.nan, Positive, "x is nan; allowed: above 0"),
        (math.inf, Positive, "x is inf; allowed: above 0"),
        (5, Annotated[int, Range(least=2, most=4)], "x is 5; allowed: 2 or more, at most 4"),
        ("a.tsv", Sequence[str], "x is 'a.tsv'; allowed: a list of texts; as a list: x=[a.tsv]"),
        ([1, "two"], Sequence[int] | None, "x[1] is 'two'; allowed: a whole number"),
        ({"a": 1.5}, Mapping[str, int] | None, "x.a is 1.5; allowed: a whole number"),
        ([1], Mapping[str, int], "x is [1]; allowed: settings by name"),
        ({"a": 1}, Sequence[int], 'x is {"a": 1}; allowed: a list of whole numbers'),
        ("abc", Query | None, "x is 'abc'; allowed: a part, as an option of its group gives it, null"),
        (3, Callable[..., Query], "x is 3; allowed: a part, as an option of its group gives it"),
        (3, str | Query, "x is 3; allowed: a text; as a text: \"x='3'\""),
        (3, str | timedelta, "x is 3; allowed: a text; as a text: \"x='3'\""),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check(value, kind, "x")
    assert str(error.value) == message


def test_a_path_that_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.trec").touch()
    for value in (str(tmp_path / "run.trec"), "~/run.trec", str(tmp_path), None):
        check(value, ExistingPath | None, "x")
    with pytest.raises(ConfigError, match=r"^x is 'no\.trec', and there is no such file or folder$"):
        check("no.trec", ExistingPath | None, "x")
    with pytest.raises(ConfigError, match=r"^x is 3; allowed: a text, null"):
        check(3, ExistingPath | None, "x")


@dataclass
class Pooling:
    by: POOLING = "mean"
    size: Count | None = None
    dropout: Dropout = 0.1
    workers: Natural | Literal["auto"] = "auto"
    order: Literal["up", "down"] = "up"
    names: POOLING | Sequence[str] = ()  # no plain value: a configuration has lists, Python tuples too
    name: str = "pooling"
    run: ExistingPath | None = None
    seen: Any = None

    def __post_init__(self) -> None:
        check_fields(self, "pooling")


def test_the_fields_of_a_record_from_python() -> None:
    """Numbers of NumPy are numbers, and what no marker narrows is nobody's business."""
    numbers: Any = (np.int64(3), np.float32(0.5), np.int32(0))
    others: Any = (("a", "b"), Path("a"), "yet to come", object())
    make: Any = Pooling
    assert make("cls", *numbers, "down", *others).size == 3


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"by": "meen"}, "pooling.by is 'meen'; allowed: cls, mean; did you mean 'mean'?"),
        ({"by": None}, "pooling.by is null; allowed: cls, mean"),
        ({"size": 0}, "pooling.size is 0; allowed: 1 or more"),
        ({"dropout": np.float64(1)}, "pooling.dropout is 1.0; allowed: 0 or more, below 1"),
        ({"dropout": math.nan}, "pooling.dropout is nan; allowed: 0 or more, below 1"),
        ({"workers": -1}, "pooling.workers is -1; allowed: 0 or more"),
        ({"workers": "many"}, "pooling.workers is 'many'; allowed: a whole number, auto"),
        ({"order": "sideways"}, "pooling.order is 'sideways'; allowed: up, down"),
    ],
)
def test_a_field_that_cannot_be(field: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Pooling(**field)
    assert str(error.value) == message


def test_types_and_values_in_words() -> None:
    assert allowed(Sequence[Sequence[int]]) == "a list of a list of whole numbers"
    assert allowed(Sequence[Any]) == "a list"
    assert shown({"a": [True, None]}) == '{"a": [true, null]}'
