"""A setting that isn't there is answered with the nearest names."""

from __future__ import annotations

import pytest

from clir_lightning.configuration import config_folder
from clir_lightning.jobs.launch.nearest import nearest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("optimizer.learnng_rate=1", "optimizer.learning_rate"),
        ("learning_rate=1", "optimizer.learning_rate"),
        ("archi=cross", "architecture"),
        ("architecture=cedr/dram", "architecture=cedr/drmm"),
        ("loss=[lec,ranknet]", "loss=lce"),
    ],
)
def test_a_setting_that_is_not_there_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    others = ["seed=3", "architecture=cross"] if not typed.startswith("arch") else ["seed=3"]
    lines = nearest("train", [*others, typed, "-m"], config_folder())
    assert len(lines) == 1
    assert lines[0].startswith(f"{typed}: did you mean {meant}")


def test_what_resembles_nothing_has_no_answer() -> None:
    assert nearest("train", ["qqqq=3", "+zzz=1", "seed=2"], config_folder()) == []
