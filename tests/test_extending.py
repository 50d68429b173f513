"""docs/extending.md followed to the letter: its snippets in a copy of the tree, whose checks and commands then pass."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from program import COMMAND, HANG, ROOT, SHORT
from test_prose import faults

TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RECIPES = TEXT.partition("\n## A loss\n")[2]
SNIPPETS = re.findall(r"^```(?:python|yaml)\n# (.+?)\n(.*?)^```$", RECIPES, flags=re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ clir (.*)$", RECIPES, flags=re.MULTILINE)
NAMES = ("exponential", "length_aware", "words", "overlap")
SOURCES = [where for where, _ in SNIPPETS if where.startswith("src/")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with every recipe's files in it, and two runs for its last command."""
    home = tmp_path_factory.mktemp("tree")
    for name in ("src", "conf", "tests", "examples"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", home)
    for where, text in SNIPPETS:
        follow(home, where, text)
    for run in "ab":
        (home / f"{run}.trec").write_text("q Q0 x 1 0.9 a\n", encoding="utf-8")
    return home


def follow(home: Path, where: str, text: str) -> None:
    """Do with a snippet what its first line says."""
    added = re.fullmatch(r"added to (?:(VERBS) in )?(\S+)", where)
    if added is None:
        path = home / where
        assert not path.exists(), f"{where} is there already"
        assert path.parent.is_dir(), f"{where} has no folder"
        path.write_text(text, encoding="utf-8")
        return
    path = home / added[2]
    before = path.read_text(encoding="utf-8")
    if added[1]:  # the table's end is the first line that closes it
        start = before.index("\nVERBS = {\n")
        end = before.index("\n}\n", start) + 1
        path.write_text(before[:end] + text + before[end:], encoding="utf-8")
    else:
        path.write_text(before + text, encoding="utf-8")


def run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(cwd / "src"), "WANDB_MODE": "offline"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-3000:]
    return done.stdout


def test_there_are_four_recipes_with_a_test_each() -> None:
    tests = [Path(where).stem for where, _ in SNIPPETS if where.startswith("tests/")]
    assert tests == [f"test_{name}" for name in NAMES]
    assert len(SNIPPETS) == TEXT.count("```python\n") + TEXT.count("```yaml\n")


def test_the_prose_is_in_paragraphs() -> None:
    assert {where: faults(text) for where, text in SNIPPETS if where in SOURCES} == {where: [] for where in SOURCES}


@pytest.mark.slow
def test_the_tests_pass(tree: Path) -> None:
    """The recipes' own tests and doctests, that of the floors, and those of their configuration's files."""
    own = [where for where, _ in SNIPPETS if where.endswith(".py") and " " not in where]
    chosen = f"not test_config or {' or '.join(NAMES)}"
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", chosen)
    run(*command, *own, "tests/test_floors.py", "tests/test_config.py", cwd=tree)


def test_the_linter_passes(tree: Path) -> None:
    """Once it has put the added names in their order."""
    files = [where.split()[-1] for where, _ in SNIPPETS if not where.endswith(".yaml")]
    run(sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "I", "--fix", *files, cwd=tree)
    run(sys.executable, "-m", "ruff", "check", "--no-cache", *files, cwd=tree)
    run(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", *files, cwd=tree)


# Importing takes most of the time: one process does, and runs each command in a fork of it.
FORKS = """import os, sys
import clir_lightning.jobs.train, clir_lightning.models.tiny
from clir_lightning.cli import main
for command in {commands}:
    print("$", *command, flush=True)
    if os.fork() == 0:
        main(command)
        sys.exit()
    if os.wait()[1]:
        sys.exit("it failed")
"""


@pytest.mark.slow
def test_the_commands_run(tree: Path) -> None:
    commands = [shlex.split(command) for command in COMMANDS]
    for number, words in enumerate(commands):
        if words[0] == "train":
            words += [*SHORT, "candidates.test_queries=3", f"hydra.run.dir=out/{number}"]
    said = run(sys.executable, "-c", FORKS.format(commands=commands), cwd=tree)
    parts = re.split(r"^\$ .*\n", said, flags=re.MULTILINE)[1:]
    assert len(parts) == len(COMMANDS) == 4
    assert all(part.strip() for part in parts)


def test_help_knows_the_new_verb_and_options(tree: Path) -> None:
    assert "which share of their first documents" in " ".join(run(*COMMAND, "--help", cwd=tree).split())
    assert "two TREC run files" in run(*COMMAND, "overlap", "--help", cwd=tree)
    told = run(*COMMAND, "train", "--help", cwd=tree)
    assert all(name in told for name in NAMES[:3])
