"""No test fails because the machine is busy: limits are for hangs alone, and no test looks at the clock on the wall."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from program import HANG, ROOT

CLOCKS = {"time", "perf_counter", "monotonic"}  # what other programs' load does not change: time.process_time
LIMITS = {"timeout", "deadline"}


def findings(text: str) -> list[str]:
    """Clocks that are read, and waits and time limits that are a number, in a test module's text.

    Where the time itself is promised, as of an error that comes within five seconds, the line says so: `# promised`.
    """
    found = []
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if "# promised" in lines[getattr(node, "lineno", 1) - 1]:
            continue
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "time" and node.attr in CLOCKS:
            found.append(f"{node.lineno}: time.{node.attr}")
        if isinstance(node, ast.Call):
            limits = [keyword.value for keyword in node.keywords if keyword.arg in LIMITS]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "join") and not node.keywords:
                limits += node.args  # Popen.wait(60)
            numbers = [limit.value for limit in limits if isinstance(limit, ast.Constant)]
            found += [f"{node.lineno}: a limit of {number} s" for number in numbers if isinstance(number, int | float)]
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_busy_machine_fails_no_test(path: Path) -> None:
    assert findings(path.read_text(encoding="utf-8")) == []


def test_a_limit_is_ten_times_the_longest_run() -> None:
    assert HANG >= 10 * 120


def test_what_a_busy_machine_would_fail_is_found() -> None:
    lines = [
        "start = time.perf_counter()",
        "process.wait(60)",
        "clir(timeout=240)",
        "'.'.join(names)",
        "wait(timeout=HANG)",
    ]
    assert sorted(findings("\n".join(lines))) == ["1: time.perf_counter", "2: a limit of 60 s", "3: a limit of 240 s"]
