"""The BEIR layout: a round trip of the demo, and malformed lines."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from clir_lightning.data.candidates import candidates
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.clirmatrix import read_clirmatrix, write_clirmatrix
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.sources.folder import read_folder
from clir_lightning.data.sources.folder_export import write_folder
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.types import Qrels, Run


def read(folder: Path, **settings: str) -> Collection:
    splits = ["train", "dev", "test1"]
    return read_folder(str(folder), query_language="zh", document_language="kk", splits=splits, **settings)


def part_of(split: Split, count: int = 50) -> Split:
    """The first queries of a split: all of the demo's take seconds to write and read."""
    queries = dict(islice(split.queries.items(), count))
    return Split(queries, Qrels({query: split.qrels[query] for query in queries}))


@pytest.fixture(scope="module")
def demo() -> Collection:
    whole = build_demo()
    return replace(whole, splits={name: part_of(split) for name, split in whole.splits.items()})


def test_round_trip(demo: Collection, tmp_path: Path) -> None:
    write_folder(demo, tmp_path)
    for back in (read(tmp_path), read(tmp_path, cache=str(tmp_path / "cache"))):
        assert dict(back.documents) == dict(demo.documents)
        for name, split in demo.splits.items():
            assert dict(back.split(name).queries) == dict(split.queries)
            assert {q: dict(g) for q, g in back.split(name).qrels.items()} == dict(split.qrels.items())


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("corpus.jsonl", "{", "not a BEIR record"),
        ("corpus.jsonl", "[]", "not a BEIR record"),
        ("corpus.jsonl", '{"_id": "a b", "text": "x"}', "white space"),
        ("corpus.jsonl", '{"_id": "new", "text": " "}', "document 'new' is empty"),
        ("queries.jsonl", '{"_id": "1"}', "not a BEIR record"),
        ("qrels/dev.tsv", "a\tb", "2 fields; a line has 3: query document grade"),
        ("qrels/dev.tsv", "nobody\tb\t1", "query 'nobody' is not in queries.jsonl"),
    ],
)
def test_malformed_lines_name_their_place_or_are_counted(
    demo: Collection, tmp_path: Path, file: str, line: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(demo, tmp_path)
    lines = (tmp_path / file).read_text().splitlines()
    (tmp_path / file).write_text("\n".join([*lines, line]) + "\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert f"{file}, line {len(lines) + 1}: " in str(caught.value)
    assert problem in str(caught.value)
    assert len(read(tmp_path, on_error="skip").documents) == len(demo.documents)
    assert "defects left out" in caplog.text


def test_trec_layout_round_trip_with_a_run(demo: Collection, tmp_path: Path) -> None:
    part = demo.split("dev")
    run = Run(
        {query: {document: float(grade) for document, grade in part.qrels[query].items()} for query in part.qrels},
        "first",
    )
    demo = replace(demo, splits={**demo.splits, "dev": replace(part, run=run)})
    write_folder(demo, tmp_path, layout="trec")
    for back in (read(tmp_path), read(tmp_path, cache=str(tmp_path / "cache"))):
        assert dict(back.documents) == dict(demo.documents)
        assert {q: dict(g) for q, g in back.split("dev").qrels.items()} == dict(part.qrels.items())
        assert back.split("train").run is None
        got = back.split("dev").run
        assert got is not None
        assert {query: dict(got[query]) for query in got} == run.by_query
        lists = candidates(back, "dev", depth=7, seed=1)
        assert all(set(lists[query]) == set(run.ranking(query)[:7]) for query in lists)


def test_clirmatrix_round_trip(demo: Collection, tmp_path: Path) -> None:
    assert [path.name for path in write_clirmatrix(demo, tmp_path)][:2] == ["kk.tsv.gz", "zh.kk.train.base.jl.gz"]
    back = read_clirmatrix(str(tmp_path))
    assert dict(back.documents) == dict(demo.documents)
    assert {q: dict(g) for q, g in back.split("test1").qrels.items()} == dict(demo.split("test1").qrels.items())


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("documents.tsv", "no tab", "documents.tsv, line 2904: no 'id<TAB>text'"),
        ("qrels/dev.qrels", "q 0 d", "3 fields; a line has 4: query 0 document grade"),
        ("qrels/dev.qrels", "nobody 0 d 1", "query 'nobody' is not in queries.tsv"),
        ("runs/dev.trec", "q Q0 d 1 x name", "query 'q' is not in queries.tsv"),
    ],
)
def test_trec_defects_name_their_place(demo: Collection, tmp_path: Path, file: str, line: str, problem: str) -> None:
    write_folder(demo, tmp_path, layout="trec")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    with open(tmp_path / file, "a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert problem in str(caught.value)


def test_a_judged_document_that_is_missing_and_a_wrong_language(demo: Collection, tmp_path: Path) -> None:
    write_folder(demo, tmp_path, layout="trec")
    query = next(iter(demo.split("dev").queries))
    with open(tmp_path / "qrels" / "dev.qrels", "a", encoding="utf-8") as stream:
        stream.write(f"{query} 0 gone 1\n")
    with pytest.raises(DataError, match="document 'gone' is not in the collection"):
        read(tmp_path)
    assert read(tmp_path, on_missing="skip").notes == (
        "1 judged or ranked documents are not in the collection and are left out",
    )
    with pytest.raises(ConfigError, match="did you mean 'zh'"):
        read_folder(str(tmp_path), query_language="zho", document_language="kk", splits=["dev"])
    with pytest.raises(DataError, match="neither a BEIR nor a TREC folder"):
        read(tmp_path / "qrels")
