"""What the README's picture needs is looked for before a model is trained for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report_picture


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ((), "chromium is missing"),
        (("chromium",), "fc-list is missing; the package fontconfig"),
        (("chromium", "fc-list"), "no font has Chinese"),
    ],
)
def test_what_is_missing_is_told_first(
    programs: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["report_picture.py"])
    with pytest.raises(SystemExit, match=said):
        report_picture.main()
