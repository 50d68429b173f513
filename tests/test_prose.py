"""The source reads in paragraphs: DESIGN's rules of prose, checked on the syntax tree and on blank lines.

A function of twenty lines or more is in paragraphs of twelve lines at most, and every paragraph after the first opens
with a comment: why, or which shapes. One statement does one thing, a file has 250 lines at most, and a function or a
dataclass at most ten parameters.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src"
LONG_FUNCTION = 20
PARAGRAPH = 12
FILE = 250
PARAMETERS = 10

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

    A docstring and blank lines do not count, nor do functions and classes inside, which stand for themselves. A
    signature is not part of a paragraph. One that is a single simple statement (a table, a text) may be of any length.
    """
    own = own_lines(node)
    if len([row for row in own if lines[row - 1].strip()]) < LONG_FUNCTION:
        return
    start = body_start(node, lines)
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


def body_start(node: Function, lines: list[str]) -> int:
    """The first line after the signature, or after the docstring if there is one."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        return (first.end_lineno or first.lineno) + 1
    start = first.lineno
    while start - 1 > node.lineno and is_comment(lines[start - 2]):
        start -= 1
    return start


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


def test_the_source_is_in_paragraphs_with_one_thing_per_statement() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        wrong += [f"{name}:{line} {what}: {why}" for line, what, why in faults(path.read_text(encoding="utf-8"))]
    assert wrong == []


def function(*blocks: int, comments: bool = True, head: str = "def f():") -> str:
    """A function of blocks of so many lines each, every one but the first behind a comment."""
    mark = "\n\n    # why\n" if comments else "\n\n"
    return f"{head}\n" + mark.join("\n".join(["    x = f()"] * count) for count in blocks)


def whats(text: str) -> list[str]:
    return [fault.what for fault in faults(text)]


def test_a_long_function_needs_paragraphs_that_open_with_a_comment() -> None:
    assert whats(function(18)) == []  # 19 lines with its `def`
    assert faults(function(19)) == [Fault(2, "f", "a paragraph of 19 lines; at most 12")]
    assert whats(function(9, 12)) == []
    assert whats(function(9, 13)) == ["a paragraph of 13 lines; at most 12"]
    assert faults(function(9, 10, comments=False)) == [Fault(12, "f", "a paragraph without a comment that opens it")]
    assert whats(function(9, 5, comments=False)) == []  # short enough to be read at once


def test_a_signature_and_a_docstring_are_not_paragraphs() -> None:
    wide = "def f(\n" + "".join(f"    a{i},\n" for i in range(9)) + "):"
    assert whats(function(12, head=wide)) == []
    assert whats(function(13, head=wide)) == ["a paragraph of 13 lines; at most 12"]
    told = 'def f():\n    """What.\n\n' + "    more\n" * 30 + '    """'
    assert whats(function(12, head=told)) == []
    assert whats(function(12, 6, head=told)) == []


def test_one_statement_over_many_lines_is_a_paragraph_of_its_own() -> None:
    table = "    return [\n" + "        1,\n" * 30 + "    ]\n"
    assert whats(f"def f():\n{table}") == []
    assert whats(f"def f():\n    x = f()\n{table}") == ["a paragraph of 33 lines; at most 12"]
    text = 'def f():\n    return """\n' + "a\n\nb\n" * 10 + '"""\n'
    assert whats(text) == []


def test_inner_functions_stand_for_themselves() -> None:
    inner = "\n".join(f"    {line}" for line in function(16, head="def inner():").splitlines())
    assert whats(f"def f():\n{inner}\n    return inner\n") == []
    long = "\n".join(f"    {line}" for line in function(19, head="def inner():").splitlines())
    assert [fault.name for fault in faults(f"def f():\n{long}\n    return inner\n")] == ["inner"]


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("a, b = x, y", True),
        ("self.a, self.b = a, b", True),
        ("a, b = 0, 0", True),
        ("a, b = b, a", False),
        ("a[i], a[j] = a[j], a[i]", False),
        ("a, b = f()", False),
        ("a = x, y", False),
        ("(a, b), c = f(), 1", True),
    ],
)
def test_one_statement_assigns_one_thing(statement: str, wrong: bool) -> None:
    assert whats(statement) == ["one statement, two assignments"] * wrong


def test_ten_parameters_and_fields_are_the_most() -> None:
    names = ", ".join(f"a{i}" for i in range(10))
    assert whats(f"def f({names}): ...") == []
    assert whats(f"class A:\n    def f(self, {names}): ...") == []
    assert whats(f"def f({names}, *, b=1): ...") == ["11 parameters; at most 10"]
    fields = "".join(f"    a{i}: int\n" for i in range(10))
    assert whats(f"@dataclass\nclass A:\n{fields}    b: ClassVar[int] = 1\n    c: int = field(init=False)\n") == []
    assert whats(f"@dataclass(frozen=True)\nclass A:\n{fields}    b: int = 1\n") == ["11 parameters; at most 10"]


def test_a_file_has_250_lines_at_most() -> None:
    assert whats("x = 1\n" * 250) == []
    assert faults("x = 1\n" * 251) == [Fault(251, "file", "251 lines; at most 250")]
