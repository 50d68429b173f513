"""`benchmarks/turns.py` and `benchmarks/worker.py` over processes that measure nothing."""

import json
import sys
from pathlib import Path

import pytest
from benchmarks.turns import Found, ratios, spread, table, take_turns, write_part

SPEED = """
import sys
from benchmarks.worker import asked, tell
print("a library's own words")
turns = 0
while asked():
    turns += 1
    with open(sys.argv[1], "a") as log:
        print(sys.argv[2], file=log)
    if sys.argv[2] == "broken" and turns == 2:
        sys.exit("it broke")
    tell(rate=float(turns))
"""


def command(log: Path, name: str) -> list[str]:
    return [sys.executable, "-c", SPEED, str(log), name]


def test_competitors_alternate_and_one_that_breaks_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "order"
    commands = {name: command(log, name) for name in ("first", "broken", "last")}
    commands["absent"] = [sys.executable, "-c", "raise SystemExit('not installed')"]
    found = take_turns(commands, 3, tmp_path / "logs")
    order = ["first", "broken", "last", "first", "broken", "last", "first", "last"]
    assert log.read_text().split() == order
    assert {name: one.rates for name, one in found.items()} == {
        "first": [1.0, 2.0, 3.0],
        "broken": [1.0],
        "last": [1.0, 2.0, 3.0],
        "absent": [],
    }
    assert found["broken"].error == "broken: ended with 1: it broke"
    assert found["absent"].error == "absent: ended with 1: not installed"
    assert found["first"].error is None


def test_a_worker_may_end_behind_its_last_turn(tmp_path: Path) -> None:
    once = "from benchmarks.worker import asked, tell\nasked()\ntell(rate=7.0)"
    found = take_turns({"once": [sys.executable, "-c", once]}, 1, tmp_path)
    assert found["once"].rates == [7.0]
    assert found["once"].error is None


def test_a_part_holds_its_text_and_every_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran, broke = Found([{"rate": 4.0}, {"rate": 6.0}]), Found(error="it broke")
    rows = [["a", spread(ran.rates)], ["b", spread(broke.rates)]]
    write_part(tmp_path, "some", "Some", [table(["", "pairs/s"], rows)], {"a": ran, "b": broke})
    part = json.loads((tmp_path / "some.json").read_text(encoding="utf-8"))
    shown = "|  | pairs/s |\n| --- | ---: |\n| a | 5.0 (4.0 to 6.0) |\n| b | failed |"
    assert part["blocks"] == [shown, "Failed: it broke"]
    assert part["turns"] == {"a": [{"rate": 4.0}, {"rate": 6.0}], "b": []}
    assert capsys.readouterr().out == f"## Some\n\n{shown}\n\nFailed: it broke\n"


def test_ratios_go_as_far_as_both_did() -> None:
    assert ratios([4.0, 9.0, 1.0], [2.0, 3.0]) == [2.0, 3.0]
