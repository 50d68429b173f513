"""The commands of README, tutorial and the page on knowledge: each verb exists and each setting composes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from clir_lightning.cli import VERBS, of_any_data, verbatim
from clir_lightning.configuration import config_folder
from program import ROOT
from test_floors import FLOORS

README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """What stands behind `$ `, with lines that go on joined, and indented `clir` commands."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    found += [line.strip() for line in lines if line.startswith("    clir ")]
    return [line.partition("#")[0].strip() for line in found]


KNOWLEDGE = (ROOT / "docs" / "knowledge.md").read_text(encoding="utf-8")
COMMANDS = [*commands(README), *commands(TUTORIAL), *commands(KNOWLEDGE)]


def test_the_readme_has_commands() -> None:
    assert {"make run", "make test", "clir --help"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("clir ")])
def test_the_command_composes(command: str) -> None:
    words = command.split()[1:]
    if " ".join(words[:2]) in VERBS:
        words[:2] = ["_".join(words[:2])]
    overrides = [of_any_data(words[0], verbatim(word)) for word in words[1:] if not word.startswith("-")]
    if words[0] != "--help":
        assert words[0].replace("_", " ") in VERBS
        single = [re.sub(r"=([^\[,]*),.*", r"=\1", override) for override in overrides]  # a sweep's first value
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            assert compose(words[0], overrides=single)


TREE = README.partition("## The tree")[2].partition("## Train")[0]


def test_the_file_tree_is_the_repositorys() -> None:
    """Every name of it is there, and every room of the package is in it."""
    names = [name for line in TREE.splitlines() for name in re.findall(r"([\w.]+/|\w+\.py)(?= )", line[:44])]
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "src" / "clir_lightning" / name).exists(), name
    rooms = {path.parent.name for path in (ROOT / "src" / "clir_lightning").glob("*/__init__.pyi")}
    assert rooms | {"jobs"} <= {name.removesuffix("/") for name in names}


def test_rooms_stand_in_the_order_of_their_floors() -> None:
    lines = [line[:44] for line in TREE.splitlines() if line.startswith("  ")]
    floors = [[FLOORS[room] for room in re.findall(r"(\w+)(?:/|\.py)", line) if room in FLOORS] for line in lines]
    order = [floor for floor in floors if floor]
    assert all(max(above) < min(below) for above, below in itertools.pairwise(order))


def test_the_python_of_the_readme_runs(dual_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace("outputs/DATE/TIME", str(dual_run)), names)
    assert "| re-ranked | 1 |" in capsys.readouterr().out
    assert set(names["mine"]) == set(names["bm25"])
    ranked = names["model"].rank("日语", ["Жапон тілі", "Француз тілі"])
    assert {text for text, _ in ranked} == {"Жапон тілі", "Француз тілі"}
