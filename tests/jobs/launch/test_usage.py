"""Help in a terminal's width."""

from __future__ import annotations

import pytest

from clir_lightning.jobs.launch.usage import _command, _setting


def test_a_long_comment_goes_on_in_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert _setting("  depth: 100                    # candidates of each query, and one") == [
        "  depth: 100                      # candidates of each",
        "                                  # query, and one",
    ]
    assert _setting("  a: {b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7, i: 8, j: 9, k: 10}") == [
        "  a: {b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7, i: 8, j: 9,",
        "      k: 10}",
    ]


def test_a_long_command_is_one_for_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = _command("clir train architecture=cedr encoder=mbert init_from=VANILLA", "  ")
    assert lines == [
        "  clir train architecture=cedr encoder=mbert \\",
        "    init_from=VANILLA",
    ]
    assert max(map(len, _command(f"clir train init_from={'x' * 36} seed=1", "  "))) <= 60  # with the backslash
