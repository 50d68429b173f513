"""`clir doctor` from outside: its lines, its status, and machines with broken packages."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.jobs.doctor import main
from clir_lightning.machine.facts import BROKEN, Fact
from program import COMMAND, clir


def test_a_whole_machine(tmp_path: Path) -> None:
    done = clir("doctor", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[-1] == "trainings can run"
    assert done.stderr == ""
    assert [line for line in lines if re.fullmatch(r"\w+", line)] == [
        "program",
        "machine",
        "extras",
        "network",
        "disks",
    ]
    for name in ("torch", "cores", "precision", "lucene", "hub", "cache"):
        assert [line for line in lines if re.match(rf"[ ?] {name} ", line)], name
    assert list(tmp_path.iterdir()) == []


def test_broken_packages_are_named_without_a_traceback(tmp_path: Path) -> None:
    """A torch that cannot be loaded ends with status 1, a Java package that cannot be found with a line."""
    for name, text in (("torch", "raise ImportError('libtorch.so: no such file')"), ("netrc", "1 / 0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}", "COLUMNS": "200"}
    done = subprocess.run([*COMMAND, "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "! torch          cannot be imported (ImportError: libtorch.so: no such file); pip install" in done.stdout
    assert "? W&B            cannot be found out (ZeroDivisionError: division by zero)" in done.stdout
    assert done.stderr.strip().startswith("no training will run here: see torch")
    assert "  cores " in done.stdout


def test_the_status_is_one_for_what_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "clir_lightning.jobs.doctor.examine", lambda *_: [("disks", [Fact("cache", "no", BROKEN), Fact("hub", "yes")])]
    )
    with pytest.raises(SystemExit, match="no training will run here: see cache above"):
        main(OmegaConf.create({"cache": str(tmp_path)}))
