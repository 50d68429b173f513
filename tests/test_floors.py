"""DESIGN's floors: imports point to lower floors only, never in a circle; `__init__` only re-exports."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "clir_lightning"
FLOORS = {  # a room imports from itself and from rooms with a lower number
    "types": 0,
    "languages": 0,
    "limits": 0,
    "rank": 0,
    "errors": 1,
    "progress": 2,
    "configuration": 2,
    "settings": 2,
    "build": 3,
    "data": 4,
    "evaluation": 5,
    "knowledge": 5,
    "models": 6,
    "losses": 6,
    "scoring": 7,
    "retrieval": 8,
    "topics": 8,
    "lightning": 8,
    "outputs": 9,
    "machine": 9,
    "browse": 10,
    "api": 10,
    "jobs": 11,
    "cli": 12,
}
# Within `data`, in the order in which a query goes through it.
SHELVES = (
    "collection",
    "store",
    "files",
    "sources",
    "candidates",
    "sampling",
    "tokens",
    "batches",
    "training_set",
    "candidate_set",
    "datamodule",
)


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of this package that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clir_lightning."):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if path_of(name).exists() else str(node.module) for name in inner)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("clir_lightning."))


def path_of(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


def graph() -> dict[str, set[str]]:
    """What each module of the package imports of it; `__init__` files, which load lazily, are left out."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            found[".".join(parts)] = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def test_imports_point_to_lower_floors_only() -> None:
    wrong = []
    for module, others in graph().items():
        room = module.split(".")[1]
        for other in others:
            target = other.split(".")[1]
            if target != room and FLOORS[target] >= FLOORS[room]:
                wrong.append(f"{module} (floor {FLOORS[room]}) imports {other} ({FLOORS[target]})")
    assert wrong == []


def test_a_query_never_climbs_within_the_data_room() -> None:
    wrong = []
    for module, others in graph().items():
        if module.startswith("clir_lightning.data."):
            for other in others:
                if other.startswith("clir_lightning.data."):
                    here, there = (SHELVES.index(name.split(".")[2]) for name in (module, other))
                    if there > here:
                        wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_imports_make_no_circle() -> None:
    list(TopologicalSorter(graph()).static_order())


def test_a_wrong_import_and_a_circle_would_be_found() -> None:
    tree = ast.parse(
        "def f():\n    from clir_lightning.jobs.train import main\n    from clir_lightning.jobs import fuse"
    )
    assert set(imports(tree)) == {"clir_lightning.jobs.train", "clir_lightning.jobs.fuse"}
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_rooms_have_no_utils_and_inits_only_reexport() -> None:
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "misc"}
    for path in PACKAGE.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign) for node in body), path


def test_only_build_instantiates() -> None:
    users = {path.stem for path in PACKAGE.rglob("*.py") if "hydra.utils" in path.read_text(encoding="utf-8")}
    assert users == {"configuration", "build"}  # the former only looks names up


def test_every_name_that_a_room_lists_is_there() -> None:
    rooms = sorted(stub.parent.name for stub in PACKAGE.glob("*/__init__.pyi"))
    assert len(rooms) > 10
    for room in rooms:
        module = importlib.import_module(f"clir_lightning.{room}")
        assert [name for name in module.__all__ if not hasattr(module, name)] == [], room


def test_no_name_that_a_room_lists_is_a_modules_too() -> None:
    """Whichever is imported first would be what the room has by that name."""
    for stub in PACKAGE.glob("*/__init__.pyi"):
        names = re.findall(r" as (\w+)$", stub.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert names
        assert [name for name in names if (stub.parent / f"{name}.py").exists()] == [], stub.parent.name
