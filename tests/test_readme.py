"""README and the pages of docs/: commands compose, Python runs, the tree is the repository's, README is short."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep

from clir_lightning.cli import VERBS
from clir_lightning.configuration import config_folder
from clir_lightning.jobs.launch.typed import of_any_data, verbatim
from program import ROOT
from test_floors import FLOORS

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {"README.md": README} | {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md"))
}
# Lab notes have settings that may be gone; test_extending.py and test_cli.py run what the other two say.
APART = ("docs/lab-notes.md", "docs/extending.md", "docs/command-line.md")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """What stands behind `$ `, with lines that go on joined, and indented `clir` commands."""
    lines = re.sub(r"\\\n|\n {2}(?=\S)", " ", text).splitlines()
    found = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    found += [line.strip() for line in lines if line.startswith("    clir ")]
    return [re.sub(r"(^| )#.*", "", line).strip() for line in found]


def first_of_sweep(override: str) -> str:
    """The override, of a sweep with its first value."""
    parsed = OverridesParser.create().parse_override(override)
    if not parsed.is_sweep_override():
        return override
    value = parsed.value()
    first = value.start if isinstance(value, IntervalSweep) else next(parsed.sweep_string_iterator())
    return f"{parsed.get_key_element()}={first}"


# Each once, with the last page that has it: composing takes a tenth of a second.
LAST = {command: page for page, text in PAGES.items() if page not in APART for command in commands(text)}
COMMANDS = [(page, command) for command, page in LAST.items()]


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("seed=1,2,3", "seed=1"),
        ("x=tag(log,interval(1e-6,1e-4))", "x=1e-06"),
        ("x=choice(16,32)", "x=16"),
        ("loss=[a,b]", "loss=[a,b]"),
        ("loss=[a],[b]", "loss=[a]"),
    ],
)
def test_a_sweep_begins_with_its_first_value(override: str, first: str) -> None:
    assert first_of_sweep(override) == first


def test_the_pages_have_commands() -> None:
    found = {command for _, command in COMMANDS}
    assert {"make run", "make test", "clir --help", "clir data inspect data=demo"} <= found
    assert sum(command.startswith("clir ") for _, command in COMMANDS) > 125


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("clir ")])
def test_the_command_composes(page: str, command: str) -> None:
    """`…` and `$S` stand for settings that were given before."""
    words = [word for word in shlex.split(command.replace("--cfg job", ""))[1:] if not word.startswith(("…", "$"))]
    if words[0] in ("-h", "--help"):
        return
    if " ".join(words[:2]) in VERBS:
        words[:2] = ["_".join(words[:2])]
    assert words[0].replace("_", " ") in VERBS, page
    given = [word for word in words[1:] if not word.startswith("-") and "…" not in word]
    overrides = [first_of_sweep(of_any_data(words[0], verbatim(word))) for word in given]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        assert compose(words[0], overrides=overrides)


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith("make ")])
def test_make_knows_the_command(page: str, command: str) -> None:
    assert re.search(rf"^{command.split()[1]}:.*##", MAKEFILE, flags=re.MULTILINE), page


def test_the_readme_is_short() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 130


def test_the_readme_leads_to_every_page() -> None:
    pages = {page for page in PAGES if page.count("/") == 1}
    assert pages <= set(re.findall(r"\]\((docs/[\w.-]+\.md)", README)) | {"docs/index.md"}


TREE = README.partition("## The tree")[2].partition("\n## ")[0]


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


PYTHON = [
    (page, code)
    for page, text in PAGES.items()
    for code in re.findall(
        r"^```python\n(import clir_lightning as clir\n.*?)^```$", text, flags=re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=[page for page, _ in PYTHON])
def test_the_python_runs(page: str, code: str, dual_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's on a cross-encoder too: in test_walk.py."""
    names: dict[str, Any] = {}
    code = code.replace("outputs/DATE/TIME", str(dual_run)).replace("FILE.trec", str(dual_run / "runs" / "test.trec"))
    exec(code, names)
    if page == "README.md":
        assert "| re-ranked | 1 |" in capsys.readouterr().out
        assert set(names["mine"]) == set(names["bm25"])
        ranked = names["model"].rank("日语", ["Жапон тілі", "Француз тілі"])
        assert {text for text, _ in ranked} == {"Жапон тілі", "Француз тілі"}
    assert len(code.strip().splitlines()) <= 12


def test_python_stands_in_the_readme_and_on_the_pages_of_its_tasks() -> None:
    assert {"README.md", "docs/dual.md", "docs/report.md"} <= {page for page, _ in PYTHON}
