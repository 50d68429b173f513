"""What `clir compare` is given, read beside jobs that begin anew in one of the folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.files.trec import read_run
from clir_lightning.errors import DataError
from clir_lightning.outputs import systems as module
from clir_lightning.outputs.systems import systems_of


def finished(folder: Path, name: str) -> Path:
    """The output folder of a training, as far as it is read."""
    (folder / "runs").mkdir(parents=True)
    (folder / "runs" / "test.trec").write_text("q Q0 x 1 0.5 a\nq Q0 y 2 0.1 a\n")
    (folder / "runs" / "test.qrels").write_text("q 0 x 1\nq 0 y 0\n")
    (folder / "provenance.json").write_text(json.dumps({"config": {"name": name, "seed": 1}}))
    return folder


def test_a_job_that_begins_anew_after_its_results_were_read_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = finished(tmp_path / "a", "cross")
    finished(tmp_path / "b", "dual")
    read = read_run

    def removed_first(path: Path) -> Any:
        if path.is_relative_to(tmp_path / "b"):
            shutil.rmtree(one)
        return read(path)

    monkeypatch.setattr(module, "read_run", removed_first)
    assert [system.name for system in systems_of([str(tmp_path / "*")], None)] == ["cross", "dual"]


@pytest.mark.parametrize("gone", ["provenance.json", "runs/test.trec", "runs/test.qrels"])
def test_a_folder_whose_job_begins_anew_while_it_is_read_is_left_out(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = finished(tmp_path / "a", "cross")
    finished(tmp_path / "b", "dual")
    place, name = {
        "provenance.json": (module, "training_config"),
        "runs/test.trec": (module, "read_run"),
        "runs/test.qrels": (module, "read_qrels"),
    }[gone]
    real = getattr(place, name)

    def removed_first(path: Path) -> Any:
        if path.is_relative_to(one):
            for file in ("provenance.json", "runs/test.trec", "runs/test.qrels"):
                (one / file).unlink()
        return real(path)

    monkeypatch.setattr(place, name, removed_first)
    assert [system.name for system in systems_of([str(tmp_path / "*")], None)] == ["dual"]
    assert f"{one} is left out: it has no runs/test.trec" in caplog.messages


def test_what_is_wrong_in_a_folder_that_stays_is_raised(tmp_path: Path) -> None:
    one = finished(tmp_path / "a", "cross")
    (one / "runs" / "test.trec").write_text("q Q0 x\n")
    with pytest.raises(DataError, match=r"test\.trec, line 1"):
        systems_of([str(one)], None)
