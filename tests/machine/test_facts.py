"""Facts about a machine as lines, and whatever goes wrong as one of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from clir_lightning.machine.facts import BROKEN, LOOK, Fact, lines, safely


def test_names_and_values_are_aligned_and_marked() -> None:
    groups = [
        ("disks", [Fact("cache", "one two three four", BROKEN), Fact("W&B", "", LOOK)]),
        ("network", [Fact("hub", "a/path/that/no/line/may/break")]),
    ]
    assert lines(groups, 29) == [
        "disks",
        "! cache          one two",
        "                 three four",
        "? W&B",
        "network",
        "  hub            a/path/that/no/line/may/break",
    ]


def test_whatever_is_raised_is_a_fact() -> None:
    def half() -> Iterator[Fact]:
        yield Fact("one", "1")
        raise OSError(5, "Input/output\nerror")

    def leaves() -> Fact:
        raise SystemExit(3)

    assert safely("two", half) == [Fact("two", "cannot be found out (OSError: [Errno 5] Input/output error)", LOOK)]
    assert safely("three", leaves) == [Fact("three", "cannot be found out (SystemExit: 3)", LOOK)]
    assert safely("four", lambda: Fact("four", "4")) == [Fact("four", "4")]


def test_no_warning_gets_through() -> None:
    def warned() -> Fact:
        warnings.warn("the driver is old", UserWarning, stacklevel=1)
        return Fact("GPU", "none")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert safely("GPU", warned) == [Fact("GPU", "none")]
