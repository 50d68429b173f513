"""What the site is made of beside its pages: links, the reference of docstrings, notebooks with their outputs."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nbformat
import pytest
from mkdocs.exceptions import PluginError

from program import ROOT

HOOKS = ROOT / "docs" / "hooks"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.syspath_prepend(str(HOOKS))
    return importlib.import_module(request.param)


@pytest.mark.parametrize("hook", sorted(path.stem for path in HOOKS.glob("*.py")), indirect=True)
def test_the_examples_hold(hook: ModuleType) -> None:
    assert doctest.testmod(hook).failed == 0


@pytest.mark.parametrize("hook", ["repository"], indirect=True)
@pytest.mark.parametrize(
    ("page", "target", "leads"),
    [
        ("index.md", "docs/dual.md#causes", "dual.md#causes"),
        ("index.md", "docs/architectures", "architectures/cross.md"),  # a folder: its first page
        ("index.md", "notebooks/1_card.ipynb", "notebooks/1_card.md"),
        ("index.md", "LICENSE-of-nobody", "LICENSE-of-nobody"),  # left for the build to warn of
        ("index.md", "docs/nowhere.md", "docs/nowhere.md"),
        ("dual.md", "../README.md#train", "index.md#train"),
        ("dual.md", "#causes", "#causes"),
        ("dual.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("architectures/cross.md", "../../CHANGELOG.md", "../changelog.md"),
        ("architectures/cross.md", "../../pyproject.toml", "https://host/blob/main/pyproject.toml"),
        ("notebooks/1_card.md", "../src", "https://host/tree/main/src"),
        ("notebooks/1_card.md", "../docs/dual.md", "../dual.md"),
    ],
)
def test_a_link_leads_to_the_page_or_to_the_repository(hook: ModuleType, page: str, target: str, leads: str) -> None:
    pages = [
        "index.md",
        "changelog.md",
        "dual.md",
        "architectures/dual.md",
        "architectures/cross.md",
        "notebooks/1_card.md",
    ]
    files = [SimpleNamespace(src_uri=name) for name in pages]
    assert hook.led(target, page, files, "https://host") == leads


@pytest.mark.parametrize("hook", ["repository"], indirect=True)
def test_links_are_changed_outside_code_alone(hook: ModuleType) -> None:
    fenced = "```\n[c](docs/dual.md)\n```"
    text = f"[a](docs/dual.md) `[b](docs/dual.md)`\n\n{fenced}\n\n    [d](docs/dual.md)\n\n![e](docs/dual.md)"
    page = SimpleNamespace(file=SimpleNamespace(src_uri="index.md"), meta={})
    config = SimpleNamespace(repo_url="https://host/")
    changed = hook.on_page_markdown(text, page, config, [SimpleNamespace(src_uri="dual.md")])
    assert changed == text.replace("[a](docs/", "[a](").replace("![e](docs/", "![e](")
    assert page.meta == {"hide": ["navigation"]}


@pytest.mark.parametrize("hook", ["navigation"], indirect=True)
def test_a_star_stands_for_the_pages_that_are_named_nowhere_else(hook: ModuleType) -> None:
    pages = [SimpleNamespace(src_uri=name) for name in ("b/2.md", "b/index.md", "b/1.md", "a.md", "b/last.md")]
    config = SimpleNamespace(nav=[{"A": "a.md"}, {"B": ["b/index.md", "b/*.md"]}, "b/last.md"])
    hook.on_files(SimpleNamespace(documentation_pages=lambda: pages), config)
    assert config.nav == [{"A": "a.md"}, {"B": ["b/index.md", "b/1.md", "b/2.md"]}, "b/last.md"]


MODULE = '''
class Base:
    """A base.

    Args:
        shared: by all.
        one: a number of another kind.
        lost: which the other class does not take.
    """

    def __init__(self, shared: int, one: int, lost: int) -> None: ...

    def told(self) -> int:
        """A number."""

class Own(Base):
    """Its own.

    Args:
        one, other: numbers.
        gone: no longer there.
    """

    def __init__(self, one: int, other: int, shared: int, extra: int) -> None: ...

    def told(self) -> int: ...

    def untold(self) -> int: ...

def bare() -> None: ...

def free(argument: int) -> None:
    """Without a list of arguments there is nothing to miss."""
'''


@pytest.mark.parametrize("hook", ["reference"], indirect=True)
def test_what_has_no_description_is_found(hook: ModuleType, tmp_path: Path) -> None:
    room = tmp_path / "clir_lightning" / "room"
    room.mkdir(parents=True)
    names = ("Base", "Own", "bare", "free")
    (room.parent / "__init__.py").write_text('"""The face."""\n')
    (room / "__init__.py").write_text('"""A room."""\n')
    (room / "__init__.pyi").write_text("".join(f"from .module import {name} as {name}\n" for name in names))
    (room / "module.py").write_text(MODULE)
    package = hook.read(tmp_path)
    [found, face] = hook.rooms(package)
    assert (found.name, face) == ("room", package)
    items = hook.offered(found)
    assert [item.name for item in items] == [*names]
    assert [fault.removeprefix("clir_lightning.room.module.") for item in items for fault in hook.faults(item)] == [
        "Own: Args: does not describe extra",
        "Own.untold has no docstring",
        "bare has no docstring",
    ]

    # Its own description of an argument, and that of its base.
    own = next(item for item in items if item.name == "Own")
    described = "    one: numbers.\n    other: numbers.\n    gone: no longer there.\n    shared: by all.\n"
    assert own.docstring.value == f"Its own.\n\nArgs:\n{described}"


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "notebooks" / "1_card.ipynb"
    path.parent.mkdir(exist_ok=True)
    book: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    book.cells = [nbformat.v4.new_markdown_cell("# A card")]  # type: ignore[no-untyped-call]
    book.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    path.write_text(nbformat.writes(book), encoding="utf-8")  # type: ignore[no-untyped-call]
    return path


FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('a.png')"


@pytest.mark.parametrize("hook", ["notebooks"], indirect=True)
def test_a_notebook_is_run_once_and_again_when_it_changes(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = "from pathlib import Path; made = Path('outputs/2026/1'); made.mkdir(parents=True)"
    monkeypatch.setattr(hook, "ROOT", tmp_path)
    monkeypatch.setattr(hook, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(hook, "TRAIN", ("python", "-c", f"{run}; (made / 'metrics.json').touch()"))
    path = notebook(
        tmp_path,
        "from pathlib import Path\nPath('count').open('a').write('x')\nprint(Path('count').read_text())",
        FIGURE,
    )
    for _ in range(2):
        page, figures = hook.as_markdown(hook.executed(path, "c0de"), "1_card")
        assert "```text { .output .no-copy }\nx\n```" in page  # the second time it is not run
    assert "](1_card-1.png){ .figure }" in page
    assert figures["1_card-1.png"].startswith(b"\x89PNG")

    # Another notebook of the same name is run in the same folder, and takes the place of the first.
    path = notebook(tmp_path, "print(Path)")
    with pytest.raises(PluginError, match=r"(?s)1_card.ipynb: .*print\(Path\).*NameError"):
        hook.executed(path, "c0de")
    assert hook.kept(path, "c0de") is None
    path = notebook(tmp_path, "print('\\x1b[1mbold\\x1b[0m')\n1 + 1", "print('10 %\\r100 %')", "'``' + '`'")
    page, _ = hook.as_markdown(hook.executed(path, "c0de"), "1_card")
    assert "\nbold\n2\n```" in page
    assert "\n100 %\n```" in page
    assert "````text { .output .no-copy }\n'```'\n````" in page
    assert len(list((tmp_path / "kept").glob("*.ipynb"))) == 1
    assert hook.kept(path, "0ther") is None  # of another program

    # Where the training fails, its own words say why.
    monkeypatch.setattr(hook, "TRAIN", ("python", "-c", "raise SystemExit('no room on the disk')"))
    with pytest.raises(PluginError, match="no room on the disk"):
        hook.executed(path, "0ther")
