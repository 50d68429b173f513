"""What an extra weighs, by a pip that installs what the test says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.extras import Weight, row, weigh

# An interpreter whose pip puts a module of 1,004 bytes, its description and its compiled form into the new environment.
PYTHON = f"""#!{sys.executable}
import pathlib, subprocess, sys

if sys.argv[1:3] != ["-m", "pip"]:
    sys.exit(subprocess.call([{sys.executable!r}, *sys.argv[1:]]))
if "[nowhere]" in sys.argv[-1]:
    sys.exit("a warning\\nERROR: no wheel\\n")
home = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).parent.parent
(site,) = home.glob("lib/python*/site-packages")
(site / "thing.py").write_text("x" * 1000 + " = 1")
(site / "thing-1.0.dist-info").mkdir()
(site / "__pycache__").mkdir()
(site / "__pycache__" / "thing.pyc").write_text("compiled")
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    path = tmp_path / "python"
    path.write_text(PYTHON, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_what_pip_adds_is_weighed(python: Path) -> None:
    """The new environment sees the packages of the plain one, and they weigh nothing."""
    assert weigh("dense", python, ["thing", "torch.version"]) == Weight(1, 1004, "")


def test_an_extra_that_does_not_work_alone_says_why(python: Path) -> None:
    fault = "import gone: ModuleNotFoundError: No module named 'gone'"
    assert weigh("dense", python, ["thing", "gone"]) == Weight(1, 1004, fault)
    assert weigh("nowhere", python, []) == Weight(0, 0, "ERROR: no wheel")


def test_a_line_of_the_table() -> None:
    assert row("dense", Weight(2, 1_101_400_000, "")) == ["`dense`", "2", "1,101 MB"]
    assert row("dense", Weight(0, 0, "ERROR: no wheel")) == ["`dense`", "0", "ERROR: no wheel"]
