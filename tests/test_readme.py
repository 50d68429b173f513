"""The commands of README and tutorial: each verb exists and each setting composes."""

from __future__ import annotations

import re

import pytest
from hydra import compose, initialize_config_dir

from clir_lightning.cli import VERBS, of_any_data, verbatim
from clir_lightning.configuration import config_folder
from program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """What stands behind `$ `, with lines that go on joined, and indented `clir` commands."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    found += [line.strip() for line in lines if line.startswith("    clir ")]
    return [line.partition("#")[0].strip() for line in found]


COMMANDS = [*commands(README), *commands(TUTORIAL)]


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


def test_the_file_tree_is_the_repositorys() -> None:
    for name in re.findall(
        r"^  ?(\w+)/ ", README.partition("## The tree")[2].partition("## Train")[0], flags=re.MULTILINE
    ):
        assert (ROOT / name).is_dir() or (ROOT / "src" / "clir_lightning" / name).is_dir(), name
