"""Every notebook runs in a kernel of its own, from top to bottom, beside the output folder of a run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lent import lent
from program import HANG, ROOT

# Whether a notebook runs is seen of trainings that are too short to show what it is about.
SHORTER = {
    "trainer.max_epochs=1 candidates.val_queries=50 candidates.test_queries=60": (
        "trainer.max_epochs=1 +trainer.limit_train_batches=12 candidates.val_queries=5 candidates.test_queries=6"
    ),
    "+trainer.limit_train_batches=40 candidates.val_queries=20 candidates.test_queries=40": (
        "+trainer.limit_train_batches=2 candidates.val_queries=3 candidates.test_queries=6"
    ),
    "+trainer.limit_train_batches=60 candidates.val_queries=20 candidates.test_queries=60": (
        "+trainer.limit_train_batches=2 candidates.val_queries=3 candidates.test_queries=6"
    ),
}
FIGURES = {"1": "candidates", "2": "read_back", "3": "collapse", "4": "sweep", "5": "knowledge"}


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_runs(notebook: Path, demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(demo_run, tmp_path / "outputs" / "2026-01-01" / "00-00-00")
    monkeypatch.setenv("MPLBACKEND", "agg")
    book = nbformat.reads(notebook.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] for cell in code)  # outputs are not committed
    for long, short in SHORTER.items():
        for cell in code:
            cell.source = cell.source.replace(long, short)
    limits: Any = {"timeout": HANG, "startup_timeout": HANG, "iopub_timeout": HANG}
    with lent() as programs:
        path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
        monkeypatch.setenv("PATH", os.pathsep.join(path))
        NotebookClient(book, **limits, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(output.get("text", "") for cell in code for output in cell.outputs)
    assert "Error" not in said
    assert "clir " not in said  # how an error of the user's begins
    figure = tmp_path / "outputs" / "notebooks" / f"{FIGURES[notebook.stem[0]]}.png"
    assert figure.stat().st_size > 5000


def test_what_is_shortened_stands_in_a_notebook() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert all(sum(long in text for text in texts) == 1 for long in SHORTER)
