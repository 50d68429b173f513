"""DESIGN's floors: a module imports from its own room, its own floor or a lower one; `__init__` only re-exports."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "clir_lightning"
FLOORS = {
    "types": 0,
    "errors": 0,
    "data": 1,
    "evaluation": 1,
    "knowledge": 1,
    "retrieval": 2,
    "models": 2,
    "losses": 2,
    "lightning": 3,
    "jobs": 4,
    "allowed": 4,
    "build": 4,
    "cli": 4,
}


def imports(tree: ast.AST) -> set[str]:
    """The rooms of this package that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("clir_lightning.")}
    return found


def test_imports_point_down_only() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if FLOORS[other] > FLOORS[room]:
                wrong.append(f"{path.relative_to(PACKAGE)} (floor {FLOORS[room]}) imports {other} ({FLOORS[other]})")
    assert wrong == []


def test_a_wrong_import_would_be_found() -> None:
    assert imports(ast.parse("def f():\n    from clir_lightning.jobs.train import main")) == {"jobs"}


def test_rooms_have_no_utils_and_inits_only_reexport() -> None:
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "misc"}
    for path in PACKAGE.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body), path


def test_only_build_instantiates() -> None:
    users = {path.stem for path in PACKAGE.rglob("*.py") if "hydra.utils" in path.read_text(encoding="utf-8")}
    assert users == {"allowed", "build"}  # the former only looks names up
