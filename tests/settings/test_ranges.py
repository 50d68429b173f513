"""Numbers of the configuration's parts have a range, which is told before anything is read."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from hydra.utils import get_object

from clir_lightning.configuration import config_folder
from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import Range
from clir_lightning.settings.signatures import kinds
from clir_lightning.settings.values import check

# Any number will do for these; the others' bounds are known when an encoder or another setting is.
UNBOUND = {
    *("seed", "margin", "attention_start", "shuffled"),
    *("width", "channels", "levels", "dimensions", "features", "shares"),
}
ROOMS = ("data", "knowledge", "lightning", "losses", "models", "retrieval", "topics")


def numbers() -> Iterator[tuple[str, str, Any]]:
    """Target, parameter and type of each number that the options of `conf/` set."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(config_folder().rglob("*.yaml"))]
    for target in sorted({name for text in texts for name in re.findall(r"_target_: (clir_lightning[\w.]+)", text)}):
        if target.split(".")[1] not in ROOMS:
            continue
        for name, kind in kinds(get_object(target))[0].items():
            if {"int", "float"} & set(re.findall(r"\w+", str(kind).partition("Callable")[0])):
                yield target, name, kind


def ranges(kind: Any) -> list[Range]:
    """The ranges within a type."""
    found = [marker for marker in getattr(kind, "__metadata__", ()) if isinstance(marker, Range)]
    return found + [marker for member in typing.get_args(kind) for marker in ranges(member)]


def test_each_number_has_a_range() -> None:
    found = list(numbers())
    assert len(found) > 60
    without = [f"{target}: {name}" for target, name, kind in found if name not in UNBOUND and not ranges(kind)]
    assert without == ["clir_lightning.lightning.csv: flush_every"]  # Lightning's own


@pytest.mark.parametrize(
    ("target", "name", "value", "message"),
    [
        ("lightning.Optimisation", "learning_rate", -1e-5, "x is -1e-05; allowed: 0 or more"),
        ("lightning.Optimisation", "warmup", 500, "x is 500; allowed: 0 or more, at most 1"),
        ("lightning.Optimisation", "layer_decay", 0, "x is 0; allowed: above 0, at most 1"),
        ("losses.RankNet", "weight", 0, "x is 0; allowed: above 0"),
        ("models.CrossEncoder", "dropout", 1, "x is 1; allowed: 0 or more, below 1"),
        ("models.TinyEncoder", "frozen", -1, "x is -1; allowed: 0 or more"),
        ("retrieval.LuceneBM25", "b", 1.5, "x is 1.5; allowed: 0 or more, at most 1"),
    ],
)
def test_a_number_out_of_its_range(target: str, name: str, value: float, message: str) -> None:
    kind = kinds(get_object(f"clir_lightning.{target}"))[0][name]
    with pytest.raises(ConfigError) as raised:
        check(value, kind, "x")
    assert str(raised.value) == message
