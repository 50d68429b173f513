"""Graphs built of dumps: the same rows by any number of processes, killed or not, alone or not."""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.knowledge import building, parsing, reading
from clir_lightning.knowledge.blocks import Blocks
from clir_lightning.knowledge.building import Sources, build_graph
from clir_lightning.knowledge.languages import VARIANTS
from clir_lightning.knowledge.parts import JOURNAL, Parts
from knowledge.dumps import item, line, statement, texts, write
from program import HANG, ROOT

ITEMS = 400
FORMS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress}
# A build in small steps: a part is finished every few lines. It stops when so many lines are in its journal, until the
# file `go` lies beside the graph.
SMALL = f"""
import logging, sys, time
from functools import partial
from pathlib import Path
from clir_lightning.knowledge import reading
from clir_lightning.knowledge.building import Sources, build_graph
dump, graph, hold = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def report(done, total):
    lines = sum(path.read_bytes().count(b"\\n") for path in graph.parent.glob(f".{{graph.name}}.*.parts/{JOURNAL}"))
    for _ in range({50 * HANG} if lines >= hold else 0):
        if graph.with_name("go").exists():
            break
        time.sleep(0.02)
if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    reading.PART = 3000
    reading.Blocks = partial(reading.Blocks, size=1000, longest=100_000)
    build_graph(Sources(("zh", "kk"), dump), graph, workers=2, report=report)
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `SMALL`, in this process."""
    monkeypatch.setattr(reading, "PART", 3000)
    monkeypatch.setattr(reading, "Blocks", partial(Blocks, size=1000, longest=100_000))


def entities() -> list[dict[str, Any]]:
    return [item(f"Q{i}", claims={"P1": [statement(f"Q{i + 1}")]}) for i in range(ITEMS)]


def table(graph: Path, name: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        return database.execute(f"SELECT * FROM read_parquet('{graph}/{name}.parquet') ORDER BY ALL").fetchall()


def content(graph: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((graph / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def begin(dump: Path, graph: Path, hold: int) -> subprocess.Popen[str]:
    script = dump.with_name("build.py")
    script.write_text(SMALL, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(script), str(dump), str(graph), str(hold)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        start_new_session=True,
    )


def wait_for(condition: Any) -> None:
    for _ in range(50 * HANG):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it hangs")


def journal(graph: Path) -> list[dict[str, Any]]:
    """The lines that are whole."""
    found = list(graph.parent.glob(f".{graph.name}.*.parts/{JOURNAL}"))
    return [json.loads(row) for path in found for row in path.read_text().split("\n")[:-1]]


@pytest.mark.parametrize("form", ["plain", "gzip", "bzip2"])
@pytest.mark.usefixtures("small")
def test_every_form_and_number_of_processes_gives_the_same_graph(form: str, tmp_path: Path) -> None:
    whole = build_graph(
        Sources(("zh", "kk"), write(tmp_path / "whole.json", entities())), tmp_path / "whole", workers=1
    )
    plain = (tmp_path / "whole.json").read_bytes()
    dump = tmp_path / "dump"
    dump.write_bytes(FORMS[form](plain))
    told: list[tuple[int, int]] = []
    made = build_graph(
        Sources(("zh", "kk"), dump),
        tmp_path / "graph",
        workers=3,
        report=lambda done, total: told.append((done, total)),
    )
    assert made["fingerprint"] == whole["fingerprint"]
    assert made["dump"]["items"] == ITEMS
    assert table(tmp_path / "graph", "triples")[0] == ("Q0", "P1", "Q1", 1)
    assert told == sorted(told)
    assert told[-1] == (dump.stat().st_size, dump.stat().st_size)
    assert sorted(path.name for path in tmp_path.iterdir() if ".parts" in path.name) == []


def test_a_killed_build_goes_on_from_its_last_finished_part(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", entities())
    graph = tmp_path / "graph"
    process = begin(dump, graph, hold=3)
    wait_for(lambda: len(journal(graph)) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = journal(graph)
    assert not graph.exists()
    assert 0 < done[-1]["end"] < dump.stat().st_size

    # What the processes were at is removed, what was finished stays, and the rest is read once.
    (tmp_path / "go").touch()
    again = begin(dump, graph, hold=0)
    said = again.communicate(timeout=HANG)[1]
    assert again.returncode == 0, said
    assert "going on behind them" in said
    whole = build_graph(Sources(("zh", "kk"), dump), tmp_path / "whole", workers=1)
    assert content(graph)["fingerprint"] == whole["fingerprint"]
    assert content(graph)["dump"] == {
        **whole["dump"],
    }


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json.gz"
    dump.write_bytes(gzip.compress(write(tmp_path / "plain", entities()).read_bytes()))
    process = begin(dump, tmp_path / "graph", hold=1)
    wait_for(lambda: len(journal(tmp_path / "graph")) >= 1)
    children = [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(children) >= 3  # two that parse, and what decompresses
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(_lives(child) for child in children))


def _lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["journal", "part", "stray"])
def test_parts_that_are_not_whole_are_made_again(damage: str, tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", entities())
    graph = tmp_path / "graph"
    process = begin(dump, graph, hold=4)
    wait_for(lambda: len(journal(graph)) >= 4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    [folder] = tmp_path.glob(".graph.*.parts")
    rows = (folder / JOURNAL).read_text().splitlines()
    if damage == "journal":
        (folder / JOURNAL).write_text("\n".join([rows[0], rows[1][:50], *rows[2:]]))
    elif damage == "part":
        os.truncate(folder / f"{json.loads(rows[1])['parts'][0]:06d}.terms.tsv", 7)
    else:
        (folder / "000900.terms.tsv").write_text("Q7\tzh\tL\t0\tstray\n")
    kept = Parts(folder).last
    assert kept is not None
    assert kept.end == json.loads(rows[0])["end"] if damage != "stray" else kept.end >= json.loads(rows[3])["end"]
    build_graph(Sources(("zh", "kk"), dump), graph, workers=2)
    whole = build_graph(Sources(("zh", "kk"), dump), tmp_path / "whole", workers=1)
    assert content(graph)["fingerprint"] == whole["fingerprint"]
    assert content(graph)["dump"] == whole["dump"]


@pytest.mark.slow
def test_of_two_builds_at_once_the_second_waits_and_finds_the_first(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", entities())
    first = begin(dump, tmp_path / "graph", hold=1)
    wait_for(lambda: journal(tmp_path / "graph"))
    second = begin(dump, tmp_path / "graph", hold=0)

    # The first goes on once the second has seen it.
    assert second.stderr is not None
    assert any("another build of" in line for line in second.stderr)
    (tmp_path / "go").touch()
    said = [each.communicate(timeout=HANG)[1] for each in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert "another build of" not in said[0]
    assert content(tmp_path / "graph")["dump"]["items"] == ITEMS


def test_a_finished_graph_is_answered_at_once_and_another_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = write(tmp_path / "dump.json", entities()[:3])
    sources = Sources(("zh", "kk"), dump)
    made = build_graph(sources, tmp_path / "graph", workers=1)
    monkeypatch.setattr(building, "write_dump", None)
    assert build_graph(sources, tmp_path / "graph") == made
    with pytest.raises(DataError, match=r"holds a graph of .*dump.json, or of other settings.*give a new folder"):
        build_graph(Sources(("kk",), dump), tmp_path / "graph")
    os.utime(dump, ns=(1, 1))
    with pytest.raises(DataError, match="an earlier state"):
        build_graph(sources, tmp_path / "graph")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(DataError, match=r"is not empty, it holds thesis.txt"):
        build_graph(sources, tmp_path / "other")


def test_parts_of_other_settings_are_not_mixed_in(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", [item("Q1", labels=texts(zh="一", kk="бір"))])
    old = building._parts_folder(tmp_path / "graph", Sources(("zh",), dump).stamp())
    old.mkdir()
    (old / "000000.terms.tsv").write_text("Q1\tzh\tL\t0\told\n")
    build_graph(Sources(("kk",), dump), tmp_path / "graph", workers=1)
    assert [row[4] for row in table(tmp_path / "graph", "terms")] == ["бір"]
    assert not old.exists()


def test_defects_are_told_by_line_and_never_end_a_build(
    small: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [line(each) for each in entities()]
    broken = {3: b'{"type":"item","id":"Q', 40: b"\xff\xfe", 250: lines[250][:100]}
    rows = [broken.get(number, each) for number, each in enumerate(lines)]
    rows[300] = line(item("Q300", descriptions=texts(zh="长" * 90_000)))
    rows[301] = line(item("Q301", descriptions=texts(kk="x" * 200_000)))
    dump = tmp_path / "dump.json"
    dump.write_bytes(b"[\n" + b",\n".join(rows) + b"\n")
    with caplog.at_level(logging.WARNING):
        made = build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph", workers=2)
    told = [number for number, _ in made["defects"]]
    assert told == [ITEMS + 2, 5, 42, 252, 302, 303]
    assert made["defects"][0][1] == "the dump ends without the bracket that closes it: its tail is missing"
    assert made["dump"]["defective"] == 5
    assert made["dump"]["items"] == ITEMS - 5
    assert "dump.json, line 5: not an entity" in caplog.text


@pytest.mark.parametrize("form", ["gzip", "bzip2"])
def test_an_archive_without_its_tail_gives_what_it_holds(form: str, tmp_path: Path) -> None:
    text = write(tmp_path / "plain", [item(f"Q{i}", claims={"P1": [statement(f"Q{i * i}")]}) for i in range(9000)])
    whole = FORMS[form](text.read_bytes())
    dump = tmp_path / "dump"
    dump.write_bytes(whole[: int(len(whole) * 0.9)])
    made = build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph", workers=2)
    assert made["dump"]["broken"] == 1
    assert 4500 < made["dump"]["items"] < 9000
    assert len(table(tmp_path / "graph", "triples")) == made["dump"]["items"]
    assert build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph") == made


def test_what_cannot_be_built_is_said_before_anything_is_written(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", [item("Q1")])
    (tmp_path / "empty").touch()
    for sources, error, words in (
        (Sources(("zh",)), ConfigError, "nothing to build from; give dump=FILE"),
        (Sources(("zh",), tmp_path / "none.gz"), DataError, "none.gz: no such file"),
        (Sources(("zh",), tmp_path / "empty"), DataError, "empty: is empty"),
        (Sources((), dump), ConfigError, "one or more, each once"),
        (Sources(("zh", "zh"), dump), ConfigError, "one or more, each once"),
        (Sources(("zh-tw",), dump), ConfigError, "has 'zh-tw', a variant; allowed: 'zh'"),
        (Sources(("Zh",), dump), ConfigError, "codes of Wikidata's labels"),
    ):
        with pytest.raises(error, match=words):
            build_graph(sources, tmp_path / "graph")
    with pytest.raises(ConfigError, match="workers is 0; allowed: 1 or more"):
        build_graph(Sources(("zh",), dump), tmp_path / "graph", workers=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump.json", "empty"]
    with pytest.raises(DataError, match="no item with a label in kk; check the file and languages"):
        build_graph(Sources(("kk",), dump), tmp_path / "graph", workers=1)


def test_a_process_that_dies_ends_the_build_and_loses_no_part(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = write(tmp_path / "dump.json", entities())
    crews: list[parsing.Crew] = []
    true = parsing.Crew.hand

    def hand(crew: parsing.Crew, block: Any) -> None:
        if len(crews) == 60:
            os.kill(crew.workers[1].process.pid, signal.SIGKILL)
        crews.append(crew)
        true(crew, block)

    monkeypatch.setattr(parsing.Crew, "hand", hand)
    with pytest.raises(DataError, match=r"a process that parses has ended \(code -9\)"):
        build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph", workers=2)
    monkeypatch.setattr(parsing.Crew, "hand", true)
    assert journal(tmp_path / "graph")
    made = build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph", workers=2)
    assert made["dump"]["items"] == ITEMS


def test_an_item_twice_is_one(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump.json", [item("Q1", claims={"P1": [statement("Q2")]})] * 3)
    build_graph(Sources(("zh",), dump), tmp_path / "graph", workers=1)
    assert [row[0] for row in table(tmp_path / "graph", "entities")] == ["Q1"]
    assert len(table(tmp_path / "graph", "triples")) == len(table(tmp_path / "graph", "terms")) == 1


def test_the_excerpt_is_read_as_a_plain_reading_has_it(real_data: Path, tmp_path: Path) -> None:
    dump = real_data / "wikidata-dump-excerpt.json.gz"
    labels: Counter[str] = Counter()
    triples = set()
    with gzip.open(dump) as stream:
        for row in stream:
            if len(row) < 5:
                continue
            entity = json.loads(row.strip().rstrip(b","))
            kept = {name for name, codes in VARIANTS.items() if set(codes) & set(entity["labels"])}
            if entity["type"] == "item" and kept:
                labels.update(kept)
                for name, statements in entity["claims"].items():
                    ranks = {"preferred": 2, "normal": 1, "deprecated": 0}
                    triples |= {
                        (entity["id"], name, each["mainsnak"]["datavalue"]["value"]["id"], ranks[each["rank"]])
                        for each in statements
                    }
    made = build_graph(Sources(("zh", "kk"), dump), tmp_path / "graph", workers=2)
    assert made["dump"]["defective"] == made["dump"]["broken"] == 0
    assert Counter(row[1] for row in table(tmp_path / "graph", "terms") if row[2] == "L") == labels
    assert {row[:3] for row in table(tmp_path / "graph", "triples")} == {row[:3] for row in triples}
    assert set(table(tmp_path / "graph", "triples")) <= triples
