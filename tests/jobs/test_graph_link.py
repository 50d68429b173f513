"""`clir graph link` on a little graph: a text's links, and a file's queries against known entities."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from clir_lightning.configuration import config_folder
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.graph_link import main
from clir_lightning.jobs.launch.typed import verbatim
from knowledge.little_graphs import EDGES, LANGUAGES, little

GRAPH = little({**LANGUAGES, "Q50": (1, {"zh": "哈萨克语"})}, EDGES)


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("graph_link", overrides=[f"graph={GRAPH.path}", *map(verbatim, overrides)])


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")


def cells(printed: str) -> list[list[str]]:
    """The cells of the rows of all tables."""
    rows = [line for line in printed.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


def test_a_text_with_all_that_it_links_to(capsys: pytest.CaptureFixture[str]) -> None:
    main(composed("query=哈薩克語"))
    printed = capsys.readouterr().out
    assert "哈薩克語: names 2 entities" in printed
    assert cells(printed) == [
        ["Q9252", "哈萨克语", "қазақ тілі", "folded", "哈萨克语", "0.70"],
        ["Q50", "哈萨克语", "", "folded", "哈萨克语", "0.70"],
    ]


def test_a_text_in_another_language_and_one_that_names_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(composed("query=мен Алматы қаласында", "language=kk"))
    assert cells(capsys.readouterr().out) == [["Q35493", "阿拉木图", "Алматы", "longest", "алматы", "0.15"]]
    main(composed("query=42"))
    assert "42: names no entity" in capsys.readouterr().out


def test_a_files_queries_against_known_entities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "queries.tsv").write_text("1\t哈萨克语\n2\t哈萨克语\n3\t去阿拉木图\n4\t？\n5\t语\n")
    (tmp_path / "truth.tsv").write_text("1\tQ9252\n2\tQ50\n3\tQ35493\n4\tQ77\n9\tQ1\n")
    (tmp_path / "qrels").write_text("".join(f"{query} 0 d 1\n" for query in "1234"))
    files = [f"queries={tmp_path}/queries.tsv", f"truth=[{tmp_path}/truth.tsv]", f"judged={tmp_path}/qrels"]
    main(composed(*files, f"path={tmp_path}/links.tsv"))
    assert cells(capsys.readouterr().out) == [
        ["texts", "4"],
        ["linked", "3 (75.0 %)"],
        ["by label", "2 (50.0 %)"],
        ["by longest", "1 (25.0 %)"],
        ["ambiguous: another entity is as good", "2 (50.0 %)"],
        ["entity known", "4 (100.0 %)"],
        ["right", "2 (50.0 %)"],
        ["of those by label", "1 of 2"],
        ["of those by longest", "1 of 1"],
        ["wrong: another entity of the same name comes first", "1 (25.0 %)"],
        ["wrong: the entity is not in the graph", "1 (25.0 %)"],
        ["another entity of the same name comes first", "哈萨克语", "Q50", "Q9252 哈萨克语", "label"],
        ["the entity is not in the graph", "？", "Q77", "", ""],
    ]
    assert (tmp_path / "links.tsv").read_text().splitlines() == [
        "1\tQ9252\tlabel\t1.000\t哈萨克语",
        "2\tQ9252\tlabel\t1.000\t哈萨克语",
        "3\tQ35493\tlongest\t0.400\t去阿拉木图",
        "4\t\t\t\t？",
    ]


@pytest.mark.parametrize("given", ["split=test1", "documents=text"])
def test_the_texts_of_a_collection(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(composed("data=demo", given))
    facts = dict(cells(capsys.readouterr().out))
    assert int(facts["texts"].replace(",", "")) > 10
    assert "entity known" not in facts


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], "got none"),
        (["query=x", "queries=y"], "got query and queries"),
        (["split=dev"], "add data="),
        (["query=x", "language=tr"], "none in 'tr'"),
        (["data=demo", "split=devv"], "did you mean 'dev'"),
        (["data=demo", "documents=title"], "allowed: auto, id, text, none"),
    ],
)
def test_what_cannot_be_linked(overrides: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        main(composed(*overrides))
