"""After `make mutants`: the score of each file, and every mutant that no test fails, with its line before and after.

A score is the share of the faults, set into a file one at a time, that a test fails. A survivor is a missing test, or
a fault that changes nothing: a default that every caller sets, the words of an error, a faster way to the same number.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

MUTANTS = Path("mutants")
KILLED = ("killed", "timeout")


def statuses(meta: Path) -> dict[str, str]:
    """Of each mutant of a file that was tried: killed, timeout, survived, no tests, …"""
    codes: dict[str, int | None] = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return {name: str(status_by_exit_code[code]) for name, code in codes.items() if code is not None}


def changed(name: str, path: Path) -> str:
    """The lines of a mutant that differ from the source, indented."""
    lines = get_diff_for_mutant(name, path=path).splitlines()
    kept = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(f"        {line[0]} {line[1:].strip()}" for line in kept)


def main() -> None:
    """Print survivors by file, then the table."""
    tried = {meta: found for meta in sorted(MUTANTS.rglob("*.py.meta")) if (found := statuses(meta))}
    rows = []
    for meta, found in tried.items():
        source = meta.relative_to(MUTANTS).with_suffix("")
        for name, status in found.items():
            if status not in KILLED:
                print(f"{source}: {status}: mutmut show {name}\n{changed(name, source)}\n")
        counts = Counter(found.values())
        killed = sum(counts[status] for status in KILLED)
        others = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if status != "killed")
        rows.append(f"{killed / len(found):>5.0%}  {killed:>4} of {len(found):>4}  {source}  {others}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
