"""A graph's folder: what is merged, the order of neighbours, and whatever may be wrong with ids, texts and files."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from clir_lightning.data.store.columns import StringColumn
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.knowledge.graph import Graph, Name, Neighbour, Terms
from clir_lightning.knowledge.merging import merge
from clir_lightning.knowledge.rows import ALIAS, DESCRIPTION, LABEL, TITLE, Rows

ODD = ["", "it's", 'say "x"', "a\\b", "%s {0} ?", "--;DROP TABLE terms", "Қ", "𠀀", "a b", "NULL"]


def folder(home: Path, *parts: str) -> Path:
    """Parts of rows; each of `parts` is lines such as `Q1 P1 Q2 2`, all of whose entities are there."""
    home.mkdir(parents=True)
    for number, part in enumerate(parts):
        with Rows(home, number) as rows:
            for line in part.strip().splitlines():
                subject, name, target, *rank = line.split()
                rows.triple(subject, name, target, int(rank[0]) if rank else 1)
                for entity in (subject, target):
                    rows.entity(entity, 1)
    return home


def graph(home: Path, *parts: str) -> Graph:
    return Graph.open(merge(folder(home / "parts", *parts), home / "graph", languages=["zh", "kk"]))


def names(found: list[Neighbour]) -> list[str]:
    return [neighbour.entity for neighbour in found]


# Q1's neighbours: Q5 preferred, Q2 and Q3 its own, Q4 and Q6 name it. Statements (not deprecated, not of itself):
# Q2 has 2 (P1, P2 of Q1), Q3 3, Q4 1, Q5 1, Q6 3.
STATEMENTS = """
Q1 P2 Q2
Q1 P1 Q2
Q1 P1 Q3
Q1 P1 Q1
Q1 P9 Q7 0
Q5 P3 Q1 2
Q4 P1 Q1
Q6 P1 Q1
Q6 P1 Q3
Q6 P1 Q3 0
Q3 P4 Q6
"""


def test_neighbours_in_three_orders(tmp_path: Path) -> None:
    home = folder(tmp_path / "parts", STATEMENTS)
    with Rows(home, 7) as rows:
        for entity, languages in {"Q4": ("zh", "kk"), "Q2": ("zh", "kk"), "Q3": ("zh",), "Q1": ("kk",)}.items():
            for language in languages:
                rows.term(entity, language, LABEL, 0, entity)
        rows.term("Q6", "zh", LABEL, 0, "六")
        rows.term("Q6", "kk", ALIAS, 0, "алты")  # no label
    found = Graph.open(merge(home, tmp_path / "graph", languages=["zh", "kk"]))

    # Preferred, own statements, others; by frequency within; Q7's statement is deprecated, Q1's own loop is none.
    assert names(found.neighbours("Q1", 9)) == ["Q5", "Q3", "Q2", "Q6", "Q4"]
    assert names(found.neighbours("Q1", 9, "frequency")) == ["Q3", "Q6", "Q2", "Q4", "Q5"]
    assert names(found.neighbours("Q1", 9, "both")) == ["Q2", "Q4", "Q5", "Q3", "Q6"]
    for order in ("rank", "frequency", "both"):
        whole = found.neighbours("Q1", 9, order)
        assert [found.neighbours("Q1", n, order) for n in range(7)] == [whole[:n] for n in range(7)]

    # By which property: of two the first; whose statement it is.
    assert found.neighbours("Q1", 1) == [Neighbour("Q5", "P3", False)]
    assert Neighbour("Q2", "P1", True) in found.neighbours("Q1", 9)
    assert found.neighbours("Q3", 9) == [Neighbour("Q6", "P4", True), Neighbour("Q1", "P1", False)]
    assert found.neighbours("Q7", 9) == []
    assert found.neighbours("Q99", 9) == []
    assert found.degrees().tolist() == [5, 1, 2, 1, 1, 2, 0]


def test_an_unknown_order_and_less_than_none(tmp_path: Path) -> None:
    found = graph(tmp_path, "Q1 P1 Q2")
    with pytest.raises(ConfigError, match="did you mean 'rank'"):
        found.neighbours("Q1", 1, "ranks")
    with pytest.raises(ConfigError, match="neighbours is -1"):
        found.neighbours("Q1", -1)


def test_rows_of_several_sources_are_one(tmp_path: Path) -> None:
    one = graph(tmp_path / "1", "Q1 P1 Q2\nQ1 P1 Q2 2", "Q2 P1 Q3\nQ1 P1 Q2 0")
    assert one.manifest["rows"]["triples"] == one.manifest["rows"]["incoming"] == 2
    assert len(one) == 3
    assert one.triples().ranks.tolist() == [2, 1]  # the best rank

    # The same by another way is the same, anything else is not.
    assert graph(tmp_path / "2", "Q2 P1 Q3", "Q1 P1 Q2 2").fingerprint == one.fingerprint
    assert graph(tmp_path / "3", "Q2 P1 Q3", "Q1 P1 Q2 1").fingerprint != one.fingerprint


def test_triples_are_numbers_of_sorted_ids(tmp_path: Path) -> None:
    triples = graph(tmp_path, "Q9 P2 Q10\nQ10 P1 Q9 0\nQ9 P1 Q9").triples()
    assert list(triples.ids) == ["Q10", "Q9"]
    assert list(triples.codes) == ["P1", "P2"]
    rows = zip(triples.subjects, triples.properties, triples.objects, triples.ranks, strict=True)
    assert sorted(tuple(map(int, row)) for row in rows) == [(0, 0, 1, 0), (1, 0, 1, 1), (1, 1, 0, 1)]


def test_statements_about_what_is_no_entity_make_no_neighbours(tmp_path: Path) -> None:
    home = folder(tmp_path / "parts", "Q1 P1 Q2")
    with Rows(home, 1) as rows:
        rows.triple("Q1", "P1", "Q77")
        rows.term("Q77", "zh", LABEL, 0, "无")
    found = Graph.open(merge(home, tmp_path / "graph", languages=["zh"]))
    assert names(found.neighbours("Q1", 9)) == ["Q2"]
    assert "Q77" not in found
    assert found.terms(["Q77"]) == {}
    assert (found.manifest["rows"]["triples"], found.manifest["rows"]["statements"]) == (2, 1)


def test_terms_and_names(tmp_path: Path) -> None:
    home = folder(tmp_path / "parts", "Q1 P1 Q2")
    with Rows(home, 1) as rows:
        rows.term("Q1", "zh", LABEL, 0, "哈薩克語")
        rows.term("Q1", "zh", DESCRIPTION, 0, "语言")
        rows.term("Q1", "zh", ALIAS, 10, "哈语")
        rows.term("Q1", "zh", ALIAS, 9, "哈文")
        rows.term("Q1", "zh", ALIAS, 12, "哈语")  # of a second source
        rows.term("Q1", "kk", TITLE, 0, "Қазақ тілі")
        rows.term("Q2", "zh", ALIAS, 0, "哈萨克语")
        rows.entity("Q2", 40)
        rows.property("P1", "kk", "түрі")
        rows.property("P1", "en", "kind")
    found = Graph.open(merge(home, tmp_path / "graph", languages=["zh", "kk"]))
    assert found.terms(["Q1", "Q3"]) == {
        "Q1": {"zh": Terms("哈薩克語", "语言", ("哈文", "哈语")), "kk": Terms(title="Қазақ тілі")}
    }
    assert found.names(["哈萨克语", "语言"], "zh") == [Name("哈萨克语", "Q1", "L", 1), Name("哈萨克语", "Q2", "A", 40)]
    assert found.names(["қазақ тілі"], "zh") == []
    assert [name.key for name in found.all_names("zh")] == ["哈文", "哈萨克语", "哈萨克语", "哈语"]
    labels = [found.property_label("P1", language) for language in ("kk", "en", "zh")]
    assert labels == ["түрі", "kind", "kind"]
    assert found.property_label("P404", "kk") == "P404"


@pytest.mark.parametrize("name", ODD)
def test_ids_and_texts_with_odd_characters(name: str, tmp_path: Path) -> None:
    home = tmp_path / "it's [odd] * ?"
    parts = folder(home / "parts", "Q1 P1 Q2")
    with Rows(parts, 1) as rows:
        rows.entity(name, 3)
        rows.triple(name, name, "Q1")
        rows.term(name, "zh", LABEL, 0, name)
    found = Graph.open(merge(parts, home / "graph", languages=["zh", "kk"]))
    assert name in found
    assert found.neighbours(name, 5) == [Neighbour("Q1", name, True)]
    assert found.neighbours("Q1", 5, "both")[-1] in (Neighbour(name, name, False), Neighbour("Q2", "P1", True))
    assert found.terms([name]) == ({name: {"zh": Terms(name)}} if name else {})
    assert found.property_label(name, "kk") == name


def test_a_very_long_text(tmp_path: Path) -> None:
    parts = folder(tmp_path / "parts", "Q1 P1 Q2")
    text = "қазақ " * 500_000 + "соңы"
    with Rows(parts, 1) as rows:
        rows.term("Q1", "kk", DESCRIPTION, 0, text)
    assert Graph.open(merge(parts, tmp_path / "graph", languages=["kk"])).terms(["Q1"])["Q1"]["kk"].description == text


def test_an_empty_graph(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    found = Graph.open(merge(parts, tmp_path / "graph", languages=["zh", "kk"]))
    assert len(found) == 0
    assert found
    assert "Q1" not in found
    assert found.neighbours("Q1", 3) == []
    assert found.terms(["Q1"]) == {}
    assert found.terms([]) == {}
    assert found.names([], "zh") == []
    assert list(found.all_names("zh")) == []
    assert len(found.triples().subjects) == 0
    assert found.numbers(["Q1"]).tolist() == [-1]


def ask(found: Graph, answers: multiprocessing.SimpleQueue[object]) -> None:
    answers.put((found.neighbours("Q1", 3), found.terms(["Q1"])))


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_graph_in_another_process(way: str, tmp_path: Path) -> None:
    parts = folder(tmp_path / "parts", "Q1 P1 Q2")
    with Rows(parts, 1) as rows:
        rows.term("Q1", "kk", LABEL, 0, "бір")
    found = Graph.open(merge(parts, tmp_path / "graph", languages=["kk"]))
    here = (found.neighbours("Q1", 3), found.terms(["Q1"]))  # a connection is open

    context: Any = multiprocessing.get_context(way)
    answers = context.SimpleQueue()
    workers = [context.Process(target=ask, args=(found, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [answers.get() for _ in workers] == [here, here]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert found.terms(["Q1"]) == here[1]


def test_a_pickled_graph_and_threads(tmp_path: Path) -> None:
    found = graph(tmp_path, STATEMENTS)
    assert len(list(found.all_names("zh"))) == 0
    again = pickle.loads(pickle.dumps(found))
    assert (again.path, again.fingerprint) == (found.path, found.fingerprint)
    right: list[bool] = []

    def look() -> None:
        for _ in range(50):
            right.append(again.property_label("P1", "kk") == "P1" and len(again.neighbours("Q1", 9)) == 5)

    threads = [Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == 4 * 50 * [True]


def test_no_graph_an_old_one_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder; make it with clir graph build"):
        Graph.open(tmp_path / "nothing")
    with pytest.raises(DataError, match="no graph is here"):
        Graph.open(tmp_path)
    path = graph(tmp_path, STATEMENTS).path
    manifest = json.loads((path / "manifest.json").read_text())
    for change, problem in (
        ({"format": 0}, "is a graph of format 0, this version reads 1"),
        ({"kind": "collection"}, "holds collection, not a graph"),
        ({"rows": None}, "does not tell what is in it"),
    ):
        (path / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(DataError, match=problem):
            Graph.open(path)
    (path / "manifest.json").write_text('{"kind": ')
    with pytest.raises(DataError, match="no readable manifest"):
        Graph.open(path)

    # Half copied: a file is missing or shorter.
    (path / "manifest.json").write_text(json.dumps(manifest))
    data = (path / "terms.parquet").read_bytes()
    (path / "terms.parquet").write_bytes(data[:-1])
    with pytest.raises(DataError, match=f"terms.parquet: {len(data) - 1} bytes instead of {len(data)}"):
        Graph.open(path)
    (path / "terms.parquet").unlink()
    with pytest.raises(DataError, match=f"no bytes instead of {len(data)}"):
        Graph.open(path)


def test_a_graph_is_replaced_by_a_graph_and_nothing_else_is(tmp_path: Path) -> None:
    old = graph(tmp_path, "Q1 P1 Q2")
    parts = folder(tmp_path / "more", "Q1 P1 Q3")
    merge(parts, old.path, languages=["zh", "kk"])
    assert names(Graph.open(old.path).neighbours("Q1", 2)) == ["Q3"]
    with pytest.raises(DataError, match="was replaced since it was opened; open it again"):
        old.neighbours("Q1", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "more", "parts"]

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    for place in (tmp_path / "mine", tmp_path / "mine" / "thesis.tex"):
        with pytest.raises(DataError, match="holds something else than a graph"):
            merge(parts, place, languages=["zh"])
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "x"


def test_a_graph_that_is_replaced_while_it_is_in_use_is_not_mixed_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two look-ups, and between the opening of two of its files."""
    old = graph(tmp_path, "Q1 P1 Q2")
    parts = folder(tmp_path / "more", "Q1 P1 Q3")
    ids = "SELECT id FROM entities ORDER BY id"
    assert list(old.rows(ids)) == [("Q1",), ("Q2",)]
    merge(parts, old.path, languages=["zh", "kk"])
    with pytest.raises(DataError, match="was replaced since it was opened; open it again"):
        list(old.rows(ids))

    new = Graph.open(old.path)
    column = StringColumn.open

    def replaced_then(place: Path, name: str) -> StringColumn:
        found = column(place, name)
        monkeypatch.setattr(StringColumn, "open", column)
        merge(tmp_path / "parts", old.path, languages=["zh", "kk"])
        return found

    monkeypatch.setattr(StringColumn, "open", replaced_then)
    with pytest.raises(DataError, match="was replaced since it was opened; open it again"):
        new.neighbours("Q1", 2)


def test_a_graph_that_is_replaced_while_its_manifest_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = graph(tmp_path, "Q1 P1 Q2")
    parts = folder(tmp_path / "more", "Q1 P1 Q3\nQ1 P1 Q4")
    loads = json.loads

    def replaced_then(text: str) -> object:
        found = loads(text)
        monkeypatch.setattr(json, "loads", loads)
        merge(parts, old.path, languages=["zh", "kk"])
        return found

    monkeypatch.setattr(json, "loads", replaced_then)
    assert names(Graph.open(old.path).neighbours("Q1", 2)) == ["Q3", "Q4"]


def test_rows_that_are_none_leave_what_was_there(tmp_path: Path) -> None:
    old = graph(tmp_path, "Q1 P1 Q2")
    parts = folder(tmp_path / "more", "Q1 P1 Q3")
    with open(parts / "000000.entities.tsv", "a", encoding="utf-8") as stream:
        stream.write("Q5\tmany\n")
    with pytest.raises(DataError, match="cannot be made a graph"):
        merge(parts, old.path, languages=["zh", "kk"])
    assert names(old.neighbours("Q1", 2)) == ["Q2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "more", "parts"]


def build(parts: Path, path: Path) -> None:
    merge(parts, path, languages=["zh", "kk"])


def test_two_builds_into_one_folder(tmp_path: Path) -> None:
    lines = "\n".join(f"Q{i} P1 Q{j}" for i in range(40) for j in range(40))
    parts = [folder(tmp_path / name, lines, more) for name, more in (("a", "Q1 P1 Q77"), ("b", "Q1 P1 Q88"))]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=build, args=(part, tmp_path / "graph")) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = Graph.open(tmp_path / "graph")
    assert len(found) == 41
    assert ("Q77" in found) != ("Q88" in found)
    assert len(names(found.neighbours("Q1", 99))) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "graph"]


def test_without_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = graph(tmp_path, "Q1 P1 Q2")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    for use in (lambda: Graph.open(found.path), lambda: found.terms(["Q1"])):
        with pytest.raises(ConfigError, match=r"needs DuckDB: pip install 'clir-lightning\[graph\]'"):
            use()


def test_neighbours_of_a_random_graph_as_worked_out_one_by_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    rows = {tuple(row) for row in generator.integers(0, [12, 4, 12], (150, 3)).tolist()}
    ranks = {row: int(generator.integers(0, 3)) for row in sorted(rows)}
    found = graph(tmp_path, "\n".join(f"E{s:02} P{p} E{o:02} {rank}" for (s, p, o), rank in ranks.items()))
    valid = {row: rank for row, rank in ranks.items() if rank and row[0] != row[2]}
    often = {e: sum(e in (s, o) for s, _, o in valid) for e in range(12)}
    for entity in range(12):
        ways: dict[int, tuple[int, bool, int]] = {}
        for (s, p, o), rank in valid.items():
            if entity in (s, o):
                other = o if s == entity else s
                ways[other] = min(ways.get(other, (9, True, 9)), (2 - rank, s != entity, p))
        expected = sorted(ways, key=lambda other: (ways[other][:2], -often[other], other))
        got = found.neighbours(f"E{entity:02}", 20)
        assert got == [Neighbour(f"E{e:02}", f"P{ways[e][2]}", not ways[e][1]) for e in expected]
        by_frequency = sorted(ways, key=lambda other: (-often[other], other))
        assert names(found.neighbours(f"E{entity:02}", 20, "frequency")) == [f"E{e:02}" for e in by_frequency]
