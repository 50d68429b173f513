"""Python, the packages that everything needs, and the extras as the package's own metadata lists them."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from clir_lightning.machine.facts import BROKEN, Fact, brief

PACKAGE = "clir-lightning"
NEEDED = {"torch": "torch", "lightning": "pytorch-lightning", "transformers": "transformers"}
SHOWN = 4  # packages that a line on an extra names


def program() -> Iterator[Fact]:
    """This package and Python."""
    yield Fact("clir", f"{metadata.version(PACKAGE)} in {Path(__file__).parents[1]}")
    yield Fact("Python", f"{platform.python_version()} ({sys.executable})")


def needed() -> Iterator[Fact]:
    """The packages that no training runs without: their versions, and whether they can be imported."""
    for name, package in NEEDED.items():
        try:
            module = importlib.import_module(package.replace("-", "_"))
            yield Fact(name, str(getattr(module, "__version__", None) or metadata.version(package)))
        except (Exception, SystemExit) as error:  # of a broken installation: a library's own, or the linker's
            cure = f"pip install --force-reinstall {package}"
            yield Fact(name, f"cannot be imported ({brief(error)}); {cure}", BROKEN)


def extras() -> Iterator[Fact]:
    """Each extra of the package: installed, or what it would bring and the command."""
    own = metadata.metadata(PACKAGE)
    required = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
    for extra in own.get_all("Provides-Extra") or []:
        parts = [each for each in required if each.marker and _only_with(each, extra)]
        missing = [told for each in parts if (told := _missing(each))]
        if not missing:
            yield Fact(extra, "installed")
        else:
            named = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
            yield Fact(extra, f"not installed, would bring {named}; pip install '{PACKAGE}[{extra}]'")


def _only_with(requirement: Requirement, extra: str) -> bool:
    """Whether an extra, and not the package itself, has a requirement on this machine."""
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _missing(requirement: Requirement) -> str:
    """What of a requirement is not there, empty if it is met."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return requirement.name
    if version is None or requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement.name}{requirement.specifier} (here is {version})"
