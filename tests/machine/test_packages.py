"""Packages that are there, missing, too old or broken, by the package's own metadata."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

from clir_lightning.machine import packages
from clir_lightning.machine.facts import BROKEN, Fact

REQUIRES = [
    "torch>=2.11",
    "tomli; python_version > '3'",  # of the package itself, not of an extra
    "faiss-cpu>=1.9; extra == 'dense'",
    "one>=1; extra == 'many'",
    "two; extra == 'many'",
    "three; extra == 'many'",
    "four; extra == 'many'",
    "five; extra == 'many'",
    "six<2,>=1.0; extra == 'many'",
    "seven; (sys_platform == 'nowhere') and extra == 'many'",
]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the extras `dense` is installed; of `many`, one package is and another is too old."""
    there: Mapping[str, str] = {"faiss-cpu": "1.10", "five": "3", "six": "0.9", "torch": "2.13+cpu"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    own = Message()
    own["Provides-Extra"] = "dense"
    own["Provides-Extra"] = "many"
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "metadata", lambda _: own)
    monkeypatch.setattr(metadata, "requires", lambda _: REQUIRES)


@pytest.mark.usefixtures("installed")
def test_an_extra_is_installed_or_would_bring_what_is_missing() -> None:
    told = "not installed, would bring one, two, three, four and 1 more; pip install 'clir-lightning[many]'"
    assert list(packages.extras()) == [Fact("dense", "installed"), Fact("many", told)]


@pytest.mark.usefixtures("installed")
def test_a_package_of_another_version_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: REQUIRES[-2:])
    assert list(packages.extras())[1].value.startswith("not installed, would bring six<2,>=1.0 (here is 0.9); pip")


def test_the_extras_are_those_of_the_project() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(fact.name for fact in packages.extras()) == sorted(project["optional-dependencies"])


def test_a_package_that_cannot_be_imported_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halfway.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packages, "NEEDED", {"halfway": "halfway", "numpy": "numpy"})
    broken, whole = packages.needed()
    assert broken == Fact(
        "halfway",
        "cannot be imported (ImportError: libcudart.so.12: cannot open shared object file); "
        "pip install --force-reinstall halfway",
        BROKEN,
    )
    assert whole == Fact("numpy", metadata.version("numpy"))


def test_the_program_says_where_it_lies() -> None:
    clir, python = packages.program()
    assert clir.value == f"{metadata.version('clir-lightning')} in {Path(packages.__file__).parents[1]}"
    assert sys.executable in python.value
