"""The newcomer's walk: a fresh clone, an empty home, the README's commands and Python, and the tour step by step."""

from __future__ import annotations

import doctest
import operator
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pages
from pages import Step, as_shown, difference, is_shown, newcomer, renewed, run, steps, tidy
from program import HANG, ROOT

TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WHOLE = os.environ.get("CLIR_WALK") == "whole"  # `make walk`: the training of `make run`, to its end
SHORT = () if WHOLE else ("ARGS=trainer.max_epochs=3",)


def test_the_examples_of_comparing_hold() -> None:
    assert doctest.testmod(pages).failed == 0


def test_a_page_is_renewed_where_it_shows_something_else() -> None:
    page = "# T\n\n```console\n$ clir a b=1\n[…] 3\n$ clir c \\\n    d=1\nold\n```\n\nText.\n"
    printed = {"clir a b=1": "[12:00] 3\n", "clir c \\\n    d=1": "new\nfiles: /tmp/x\n"}
    asked: list[list[str]] = []

    def answer(step: Step) -> str:
        asked.append(step.words)
        return printed[step.typed]

    assert renewed(page, answer) == page.replace("old\n", "new\nfiles: …/x\n")
    assert asked == [["clir", "a", "b=1"], ["clir", "c", "d=1"]]


def test_a_newcomer_has_nothing_of_the_suites_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make slow ARGS=-rs` would make of the walk's `make run` a training with the setting `-rs`."""
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=-rs")
    monkeypatch.setenv("ARGS", "-rs")
    done = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, env=newcomer(tmp_path), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].endswith("/clir train ")


def test_how_far_a_stage_is_is_not_compared() -> None:
    lines = (
        "3/3  ",
        "x\t",
        "",
        "[…][clir_lightning.progress][INFO] - scoring cross: 61,440 of 1,000,000 pairs, 1,024 pairs/s, 0:15:17 left",
        "[…][clir_lightning.progress][INFO] - preparing the encoder: done in 0:00:06",
        "[…][log][INFO] - epoch 2/15, step 340/1,020: loss 0.412, 61 pairs/s, 0:12:30 left",
        "[…][log][INFO] - epoch 2/15: 1,020 steps in 0:02:14, loss 0.398, 61 pairs/s; val/mrr_10 0.630 in 0:00:20",
    )
    kept = "3/3\nx\n\n[…][log][INFO] - epoch 2/15: 1,020 steps in …, loss 0.398, … pairs/s; val/mrr_10 0.630 in …\n"
    assert as_shown(tidy("\n".join(lines) + "\n")) == kept


@pytest.mark.parametrize(
    "line",
    [
        "[2026-11-27 03:13:02,920][x][INFO] - auto: 4,096 tokens a scoring batch (measured), 0 workers, 1 part",
        "[2026-11-27 03:13:02,920][x][INFO] - auto: 4,096 tokens a scoring batch, 0 workers, 1 part",
        "files: /tmp/x y/dual",
        "80 steps in 0:00:07, loss 0.1, 1,061 pairs/s; val 0.512 in 0:00:20, kept in model/; 1 day, 0:28:10 left",
        "  1  0.6432  language:it  итальян тілі",
        " 1  -0.6432  language:it  итальян тілі",
    ],
)
def test_a_page_shows_what_it_was_renewed_with(line: str) -> None:
    assert "…" in as_shown(line)
    assert is_shown(as_shown(line), line + "\n")
    assert not is_shown(as_shown(line), line + "!\n")


@pytest.mark.parametrize(
    ("shown", "near", "otherwise"),
    [
        (
            "80 steps in …, loss 0.067, … pairs/s; val/ndcg_10 0.777 in …, the best so far, kept in model/",
            "80 steps in 0:01:00, loss 0.081, 9 pairs/s; val/ndcg_10 0.712 in 0:00:01, the best is 0.738 of epoch 1",
            "80 steps in 0:01:00, loss 0.067, 9 pairs/s; val/ndcg_10 0.612 in 0:00:01, the best so far, kept in model/",
        ),
        (
            "│ dual (this run)  │  88.5 │   9.9 │",
            "│ dual (this run)  │  89.3 │  10.1 │",
            "│ dual (this run)  │  7.3 │   8.7 │",
        ),
        ("│ dual  │     1 │  88.5* │", "│ dual  │     1 │  89.3* │", "│ dual  │     2 │  88.5* │"),
        ("│ dual  │     1 │  88.5* │", "│ dual  │     1 │  88.5* │", "│ dual  │     1 │  88.5  │"),
        (
            "│ dual │ +29.1 │ < .001 │ 72/124/4 │",
            "│ dual │ +30.0 │ < .001 │ 72/126/2 │",
            "│ dual │ +29.1 │ < .001 │ 4/72/124 │",
        ),
        (
            "  2  …  language:it  итальян тілі",
            "  2  0.6432  locale:it_IT  Италия",
            "  3  0.6432  language:it  итальян тілі",
        ),
        (" 12  …  language:it  итальян тілі", " 12  -0.6432  locale:it_IT  Италия", " 12  language:it  итальян тілі"),
        ("│ bm25  │  59.3 │", "│ bm25  │  59.3 │", "│ bm25  │  59.4 │"),
    ],
)
def test_what_a_trained_model_says_may_be_near(shown: str, near: str, otherwise: str) -> None:
    """Another processor's arithmetic is another training; chance, or another kind of line, is none."""
    assert is_shown(f"{shown}\n", f"{near}\n")
    assert not is_shown(f"{shown}\n", f"{otherwise}\n")


def test_the_tour_shows_every_step() -> None:
    """No command without its answer, and little left out of it."""
    verbs = [" ".join(step.words[1:3]).partition(" data=")[0] for step in steps(TOUR)]
    assert verbs[0] == "data inspect"
    assert [verb.split()[0] for verb in verbs[1:]] == ["retrieve", "train", "evaluate", "evaluate", "compare", "search"]
    for step in steps(TOUR):
        lines = step.shown.splitlines()
        assert len(lines) > 4, step.typed
        assert "…" not in lines, step.typed


def test_a_newcomer_has_nothing_of_who_runs_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIR_CACHE", "ARGS", "MAKEFLAGS"):
        monkeypatch.setenv(name, "theirs")
    assert "theirs" not in newcomer(tmp_path).values()


@pytest.mark.slow
def test_the_tour_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in an empty folder, with an empty home and no cache."""
    for name in set(os.environ) - set(environment := newcomer(tmp_path)):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "work"
    folder.mkdir()
    for step in steps(TOUR):
        printed = run(step, folder)
        assert is_shown(step.shown, printed), difference(step, printed)
    assert (folder / "compared" / "report.html").stat().st_size < 1e6


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone with this environment lent to it, as if `make` had just made it."""
    tree = tmp_path / "clir_lightning"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(tree)], check=True)
    (tree / ".venv").mkdir()
    (tree / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tree / ".venv" / ".installed").touch()
    return tree


def printed_by(command: list[str], tree: Path, environment: dict[str, str]) -> str:
    """What a command prints in a fresh clone."""
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return tidy(done.stdout)


def rows(table: str) -> dict[str, list[float]]:
    """The numbers of a printed table by system."""
    found = re.findall(r"^│ (.+?) +│ (.*)│$", table, flags=re.MULTILINE)
    return {name: [float(cell) for cell in cells.replace("│", " ").split()] for name, cells in found}


@pytest.mark.slow
def test_a_newcomer_walks_from_the_clone_to_python(clone: Path, tmp_path: Path) -> None:
    """`make run` prints the README's table, up to what its processor's arithmetic does to the trained row."""
    environment = {**newcomer(tmp_path), "PYTHONPATH": str(clone / "src"), "COLUMNS": "100"}
    found = rows(printed_by(["make", "run", *SHORT], clone, environment))
    (shown,) = re.findall(r"^```\n(demo, test1: .*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    expected = rows(shown)
    trained, shown_trained = (each.pop("cross (this run)") for each in (found, expected))
    assert found == expected
    if WHOLE:
        assert trained == pytest.approx(shown_trained, abs=10)
    else:
        assert all(map(operator.lt, found["random order"], trained))

    # The README's Python, on what `make run` has left.
    (output,) = (clone / "outputs").glob("*/*")
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    code = code.replace("outputs/DATE/TIME", str(output.relative_to(clone)))
    assert "| re-ranked | 1 |" in printed_by([sys.executable, "-c", code], clone, environment)

    # And what else there is to type.
    listed = re.findall(r"^  make (\S+)", printed_by(["make", "help"], clone, environment), flags=re.MULTILINE)
    named = re.findall(r"(?:^\$ |`)make ([a-z-]+)", README, flags=re.MULTILINE)
    assert {"run", "test", "help"} <= set(named) <= set(listed)
