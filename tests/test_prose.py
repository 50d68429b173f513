"""The source reads in paragraphs: DESIGN's rules of prose, checked on the syntax tree and on blank lines.

A function of twenty lines or more is in paragraphs of twelve lines at most, and every paragraph after the first opens with
a comment: why, or which shapes. One statement does one thing, a file has 250 lines at most, and a function or a dataclass
at most ten parameters.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[1] / "src"
LONG_FUNCTION = 20
PARAGRAPH = 12
FILE = 250
PARAMETERS = 10

# Modules and folders whose prose is still to be reworked; empty this list, never let it grow.
EXEMPT: tuple[str, ...] = ()

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef


class Fault(NamedTuple):
    line: int
    name: str
    what: str


def faults(text: str) -> list[Fault]:
    """What in a module's text breaks the rules of prose, in the order of its lines."""
    lines = text.splitlines()
    tree = ast.parse(text)
    found: list[Fault] = []
    if len(lines) > FILE:
        found.append(Fault(len(lines), "file", f"{len(lines)} lines; at most {FILE}"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and assigns_unrelated(node):
            found.append(Fault(node.lineno, ast.unparse(node)[:60], "one statement, two assignments"))
        elif isinstance(node, Function):
            found += paragraph_faults(node, lines)
        if isinstance(node, Scope) and (count := parameters(node)) > PARAMETERS:
            found.append(Fault(node.lineno, node.name, f"{count} parameters; at most {PARAMETERS}"))
    return sorted(found)


def assigns_unrelated(node: ast.Assign) -> bool:
    """`a, b = x, y`, unless it is a swap: the same expressions on both sides."""
    [target, *_] = node.targets
    if not (isinstance(target, ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List)):
        return False
    return sorted(map(ast.unparse, target.elts)) != sorted(map(ast.unparse, node.value.elts))


def parameters(node: Scope) -> int:
    """The parameters of a function without `self`, or the fields that a dataclass' `__init__` takes."""
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and is_field(part)]
        return len(fields) if any("dataclass" in ast.unparse(by) for by in node.decorator_list) else 0
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_field(part: ast.AnnAssign) -> bool:
    fixed = part.value is not None and "init=False" in ast.unparse(part.value)
    return not fixed and "ClassVar" not in ast.unparse(part.annotation)


def paragraph_faults(node: Function, lines: list[str]) -> Iterator[Fault]:
    """Faults in the paragraphs of a function of `LONG_FUNCTION` lines or more: its own lines, from `def` to its end.

    A docstring and functions or classes inside do not count: the latter stand for themselves. A paragraph that is one simple
    statement (a table, a text) may be of any length, and the first one after an inner function needs no comment.
    """
    own = own_lines(node)
    if len([row for row in own if lines[row - 1].strip()]) < LONG_FUNCTION:
        return
    start = body_after_docstring(node)
    simple = statement_lines(node)
    for number, block in enumerate(paragraphs([row for row in own if row >= start], lines, simple)):
        code = [row for row in block if not is_comment(lines[row - 1])]
        first = block[0]
        if len(code) > PARAGRAPH and not any(set(code) <= set(rows) for rows in simple):
            yield Fault(first, node.name, f"a paragraph of {len(code)} lines; at most {PARAGRAPH}")
        if number and first - 1 in own and not is_comment(lines[first - 1]):
            yield Fault(first, node.name, "a paragraph without a comment that opens it")


def own_lines(node: Function) -> list[int]:
    """The lines from `def` to the end without the docstring and without inner functions and classes."""
    rows = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    inner = [each for each in ast.walk(node) if isinstance(each, Scope) and each is not node]
    for each in inner:
        first = min([each.lineno, *(by.lineno for by in each.decorator_list)])
        rows -= set(range(first, (each.end_lineno or each.lineno) + 1))
    if ast.get_docstring(node) is not None:
        rows -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return sorted(rows)


def body_after_docstring(node: Function) -> int:
    """The line after which a function's body is read: after its signature, and after its docstring if it has one."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        return (first.end_lineno or first.lineno) + 1
    signature = [node.lineno, *(getattr(each, "end_lineno", 0) for each in (node.returns, node.args) if each)]
    arguments = [each.end_lineno or 0 for each in ast.walk(node.args) if isinstance(each, ast.arg)]
    return min(first.lineno, max([*signature, *arguments]) + 1)


def statement_lines(node: Function) -> list[range]:
    """The lines of each simple statement: one that holds no other statement."""
    statements = (each for each in ast.walk(node) if isinstance(each, ast.stmt) and not hasattr(each, "body"))
    return [range(each.lineno, (each.end_lineno or each.lineno) + 1) for each in statements]


def paragraphs(rows: list[int], lines: list[str], simple: list[range]) -> list[list[int]]:
    """Neighbouring lines between blank ones; a blank line inside a statement (in a long string) parts nothing."""
    inside = {row for each in simple for row in each}
    blocks: list[list[int]] = []
    for row in rows:
        if not lines[row - 1].strip() and row not in inside:
            continue
        if blocks and blocks[-1][-1] == row - 1:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return blocks


def is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
