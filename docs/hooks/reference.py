"""The Python reference: a page a room, of the names that its `__init__.pyi` lists.

A name is described where its room lists it; pages of other rooms that offer it too link there. What has no description
is a warning, and a strict build fails on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import griffe
import losses_table
from docstrings import Docstrings, described
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = "clir_lightning"
MODULES = ("types", "errors")  # rooms that are a single module: all that they define
BEHIND = "---\nsearch:\n  boost: 0.5\n---"  # in the search, behind the pages that are written
HEAD = ("| name | what it is |", "|---|---|")
log = get_plugin_logger("reference")

Described = griffe.Class | griffe.Function


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages, and warns of what has no description."""
    package = read(SOURCE)
    for fault in sorted({fault for room in rooms(package) for item in offered(room) for fault in faults(item)}):
        log.warning(fault)

    # The rooms first: the face offers names of theirs and links to them.
    home: dict[str, str] = {}
    *inner, face = rooms(package)
    for room in (*inner, face):
        page = "api/index.md" if room is face else f"api/{room.name}.md"
        files.append(File.generated(config, page, content=page_text(room, home)))
    return files


def read(source: Path) -> griffe.Module:
    """The package as the pages show it, from its files alone; nothing is imported."""
    extensions = griffe.load_extensions("dataclasses", Docstrings)  # the fields first
    package = griffe.load(PACKAGE, search_paths=[source], allow_inspection=False, extensions=extensions)
    if not isinstance(package, griffe.Module):
        raise TypeError(f"{PACKAGE} in {source} is no package")
    return package


def rooms(package: griffe.Module) -> list[griffe.Module]:
    """The modules that have a page, the package itself last."""
    inside = [module for module in package.modules.values() if module.name in MODULES or has_stub(module)]
    return [*sorted(inside, key=lambda module: module.name), package]


def has_stub(module: griffe.Module) -> bool:
    """Whether it is a room that lists its names."""
    return isinstance(module.filepath, Path) and module.filepath.with_suffix(".pyi").exists() and module.is_init_module


def offered(room: griffe.Module) -> list[Described]:
    """The classes and functions that a room offers, as names of the room."""
    found = []
    for name, item in room.members.items():
        if has_stub(room):
            listed = isinstance(item, griffe.Alias) and item.target_path.startswith(f"{PACKAGE}.")
        else:
            listed = not item.is_alias
        if listed and not name.startswith("_") and (item.is_class or item.is_function):
            found.append(item)
    return found  # type: ignore[return-value]  # an alias acts as what it stands for


def page_text(room: griffe.Module, home: dict[str, str]) -> str:
    """The Markdown of a room's page.

    Args:
        room: the module.
        home: where each name is described, by the place of its definition; this room's new ones are added.
    """
    items = offered(room)
    new = [item for item in items if home.setdefault(item.canonical_path, item.path) == item.path]
    rows = [f"| [`{item.name}`][{home[item.canonical_path]}] | {summary(item, room)} |" for item in items]
    parts = [BEHIND, f"# {room.path}", docstring(room).partition("\n\n")[0], "\n".join([*HEAD, *rows])]
    if room.name == "losses":
        parts.append(losses_table.table(room))

    # Each name with all that it says, and below it the function that it is a module over.
    for item in new:
        parts.append(f"::: {item.path}")
        if (function := companion(item)) is not None:
            parts.append(f"::: {function}\n    options:\n      heading_level: 3")
    return "\n\n".join(parts)


def companion(item: Described) -> str | None:
    """The function that a class is a module over: it has the formula and the example."""
    found = re.match(r"Module over `(\w+)`", docstring(item))
    return f"{item.canonical_path.rpartition('.')[0]}.{found[1]}" if found else None


def docstring(item: griffe.Object | griffe.Alias) -> str:
    """The text, empty where there is none."""
    return "" if item.docstring is None else item.docstring.value


def summary(item: Described, room: griffe.Module) -> str:
    """The first paragraph of a docstring, as a cell; of a module over a function, of the latter."""
    function = companion(item)
    said = item if function is None else room[function.removeprefix(f"{room.path}.")]
    return docstring(said).partition("\n\n")[0].replace("\n", " ").replace("|", r"\|")


def faults(item: Described) -> Iterator[str]:
    """What of a public name has no description: itself, a public method, an argument beside described ones."""
    if not docstring(item):
        yield f"{item.canonical_path} has no docstring"
    yield from undescribed(item)
    target = item.final_target if isinstance(item, griffe.Alias) else item
    if isinstance(target, griffe.Class):
        lineage = [target, *target.mro()]
        for method in [each for each in target.functions.values() if not each.name.startswith("_")]:
            if not any(docstring(each.members[method.name]) for each in lineage if method.name in each.members):
                yield f"{method.canonical_path} has no docstring"
            yield from undescribed(method)


def undescribed(item: Described) -> Iterator[str]:
    """The arguments that `Args:` lacks where it names any."""
    known = described(item)
    for parameter in item.parameters:
        if known and parameter.name not in ("self", "cls", *known):
            yield f"{item.canonical_path}: Args: does not describe {parameter.name}"
