"""The README's commands: each verb exists and each setting composes."""

from __future__ import annotations

import re

import pytest
from hydra import compose, initialize_config_dir

from clir_lightning.cli import VERBS, config_folder, verbatim
from program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("$ ").partition("#")[0].strip() for line in README.splitlines() if line.startswith("$ ")]


def test_the_readme_has_commands() -> None:
    assert {"make run", "make test", "clir --help"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("clir ")])
def test_the_command_composes(command: str) -> None:
    words = command.split()[1:]
    overrides = [verbatim(word) for word in words[1:] if not word.startswith("-")]
    if words[0] != "--help":
        assert words[0] in VERBS
        single = [re.sub(r"=([^\[,]*),.*", r"=\1", override) for override in overrides]  # a sweep's first value
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            assert compose(words[0], overrides=single)


def test_the_file_tree_is_the_repositorys() -> None:
    for name in re.findall(
        r"^  ?(\w+)/ ", README.partition("## The tree")[2].partition("## Train")[0], flags=re.MULTILINE
    ):
        assert (ROOT / name).is_dir() or (ROOT / "src" / "clir_lightning" / name).is_dir(), name
