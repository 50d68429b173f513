"""Every notebook's code runs, from top to bottom, beside the output folder of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from program import ROOT


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_runs(
    notebook: Path, demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(demo_run, tmp_path / "outputs" / "2026-01-01" / "00-00-00")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # outputs are not committed
            exec("".join(cell["source"]), names)
    assert "grade" in capsys.readouterr().out
