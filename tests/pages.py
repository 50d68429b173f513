"""The console blocks of a page: what is typed, what the page shows of the answer, and whether that is what is printed.

`…` on a page stands for what differs from run to run (a time, a folder), within its line; a line of nothing else stands
for any number of lines. A training carries the last digit of a processor's arithmetic into all that its model says:
such numbers need be near only, within a tenth of their scale. The rest is compared to the letter, but for spaces at the
ends of lines.

    PYTHONPATH=src:tests python tests/pages.py docs/tour.md

runs the commands of a page in a new folder and writes what they print into it, where it shows something else.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from program import clir

FENCE = re.compile(r"^```console\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", flags=re.MULTILINE)

# What differs from run to run, and what a page shows in its place.
VARYING = (
    (r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]", "[…]"),
    (r"^(files: ).*/", r"\1…/"),
    (r"\b\d+:\d\d:\d\d\b", "…"),
    (r"\b[\d,.]+ (\w+/s)\b", r"… \1"),
    (r"[\d,]+ tokens a scoring batch( \([^)]*\))?", "… tokens a scoring batch…"),
    (r"^( *\d+  )-?\d+\.\d{4}  ", r"\1…  "),  # a score of `clir search`: its last digit is the processor's
)

# Lines that tell of the model which a page trains, and what another processor may print in them: numbers (shares,
# points, how many queries are won, tied and lost), which epoch is the best, and other documents below the first hit.
OF_A_MODEL = re.compile(r"val/|\(this run\)|^│ dual ")
NUMBER = r"\b\d+\.(?:\d|\d{3})\b|\b\d+/\d+/\d+\b"
ELSEWHERE = re.compile(rf"(?P<number>{NUMBER})|the best so far, kept in model/|(?P<spaces> +)")
LOWER_HIT = re.compile(r"^( *(?!1 )\d+)  …  \S+  .+$")
SCALES = {3: 1, 1: 100, 0: 200}  # by decimals; the demo's test1 has 200 queries

# How far something is: lines that a fast machine does without. Pages show none of them.
PROGRESS = re.compile(r"\]\[clir_lightning\.progress\]\[INFO\] - |, step [\d,]+/[\d,]+: loss ")


@dataclass(frozen=True)
class Step:
    """A command of a page and what the page shows of its answer."""

    typed: str
    shown: str

    @property
    def words(self) -> list[str]:
        """The command as a shell hands it over."""
        return shlex.split(self.typed.replace("\\\n", " "), comments=True)


def steps(page: str) -> list[Step]:
    """Every command of the page's console blocks, in order.

    >>> steps("```console\\n$ clir a\\nx\\n$ clir b\\n```\\n")
    [Step(typed='clir a', shown='x\\n'), Step(typed='clir b', shown='')]
    """
    return [Step(*found) for block in FENCE.findall(page) for found in COMMAND.findall(block)]


def tidy(printed: str) -> str:
    """Without what tells how far something is, and without spaces at the ends of lines."""
    lines = [line.rstrip() for line in printed.splitlines()]
    return "".join(f"{line}\n" for line in lines if not PROGRESS.search(line))


def is_shown(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed.

    >>> is_shown("[…] 3 of 4\\n…\\nend\\n", "[12:00] 3 of 4\\na\\nb\\nend\\n")
    True
    >>> is_shown("[…] 3 of 4\\n", "[12:00] 3 of 5\\n"), is_shown("a\\n", "a\\nb\\n"), is_shown("", "a\\n")
    (False, False, False)
    """
    lines = ["(?:.*\n)*?" if line == "…" else line_pattern(line) + "\n" for line in shown.splitlines()]
    found = re.fullmatch("".join(lines), printed)
    numbers = [each["number"] for line in shown.splitlines() for each in moving(line) if each["number"]]
    return found is not None and all(map(is_near, numbers, found.groups()))


def moving(line: str) -> list[re.Match[str]]:
    """What another processor may print otherwise."""
    return list(ELSEWHERE.finditer(line)) if OF_A_MODEL.search(line) else []


def line_pattern(line: str) -> str:
    """What a line of a page stands for; each of its groups is a number that may be near.

    >>> re.fullmatch(line_pattern("│ dual (this run) │  9.7 │"), "│ dual (this run) │ 10.4 │").groups()
    ('10.4',)
    """
    if hit := LOWER_HIT.match(line):
        return re.escape(hit[1]) + r"  -?\d+\.\d{4}  \S+  .+"
    pattern, end = "", 0
    for each in moving(line):
        pattern += literally(line[end : each.start()])
        pattern += f"({NUMBER})" if each["number"] else " +" if each["spaces"] else "the best .+?"
        end = each.end()
    return pattern + literally(line[end:])


def literally(text: str) -> str:
    return ".*".join(map(re.escape, text.split("…")))


def is_near(shown: str, printed: str) -> bool:
    """Whether numbers of one form are less than a tenth of their scale apart.

    >>> is_near("0.738", "0.768"), is_near("88.5", "98.9"), is_near("91/33/76", "95/39/66")
    (True, False, True)
    >>> is_near("88.5", "0.885"), is_near("0.5", "0.512")
    (False, False)
    """
    one, other = ([(float(part), len(part.partition(".")[2])) for part in each.split("/")] for each in (shown, printed))
    alike = [decimals for _, decimals in one] == [decimals for _, decimals in other]
    return alike and all(abs(a - b) < SCALES[decimals] / 10 for (a, decimals), (b, _) in zip(one, other, strict=True))


def as_shown(printed: str) -> str:
    """What a page shows of it: `…` for what differs from run to run.

    >>> print(as_shown("[2026-01-02 03:04:05,678][x] - 8 steps in 0:00:07, 61 pairs/s\\nfiles: /tmp/x/dual\\n"), end="")
    […][x] - 8 steps in …, … pairs/s
    files: …/dual
    """
    for pattern, mark in VARYING:
        printed = re.sub(pattern, mark, printed, flags=re.MULTILINE)
    return printed


def difference(step: Step, printed: str) -> str:
    """What a page shows against what was printed, as `diff` does."""
    pair = (step.shown.splitlines(), as_shown(printed).splitlines())
    return "\n".join([f"$ {step.typed}", *difflib.unified_diff(*pair, "shown", "printed", lineterm="")])


def run(step: Step, folder: Path) -> str:
    """What a `clir` command prints, to both streams."""
    program, *arguments = step.words
    assert program == "clir", step.typed
    done = clir(*arguments, cwd=folder)
    return tidy(done.stdout + done.stderr)


def renewed(page: str, runner: Callable[[Step], str]) -> str:
    """The page with what its commands print now; what it shows rightly stays."""

    def answer(found: re.Match[str]) -> str:
        step = Step(*found.groups())
        printed = runner(step)
        return f"$ {step.typed}\n{step.shown if is_shown(step.shown, printed) else as_shown(printed)}"

    return FENCE.sub(lambda block: f"```console\n{COMMAND.sub(answer, block[1])}```", page)


# What the tests have that a newcomer has not; `make slow ARGS=…` hands all but the first two to every other `make`.
OF_THE_SUITE = ("CLIR_CACHE", "CLIR_WALK", "MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS")


def newcomer(folder: Path) -> dict[str, str]:
    """The environment of someone who has just come: an empty home, no cache, and no `make` around it."""
    home = folder / "home"
    home.mkdir()
    return {name: value for name, value in os.environ.items() if name not in OF_THE_SUITE} | {"HOME": str(home)}


def main(path: Path) -> None:
    """Renew one page."""
    page = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        environment = newcomer(Path(name))
        os.environ.clear()
        os.environ.update(environment)
        (Path(name) / "work").mkdir()
        page = renewed(page, lambda step: run(step, Path(name) / "work"))
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
