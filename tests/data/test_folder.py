"""The BEIR layout: a round trip of the demo, and malformed lines."""

from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.data.demo import build_demo
from clir_lightning.data.folder import read_folder, write_folder
from clir_lightning.errors import DataError


def read(folder: Path, **settings: str) -> Collection:
    splits = ["train", "dev", "test1"]
    return read_folder(str(folder), query_language="zh", document_language="kk", splits=splits, **settings)


def test_round_trip(tmp_path: Path) -> None:
    demo = build_demo()
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
    tmp_path: Path, file: str, line: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(build_demo(), tmp_path)
    lines = (tmp_path / file).read_text().splitlines()
    (tmp_path / file).write_text("\n".join([*lines, line]) + "\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert f"{file}, line {len(lines) + 1}: " in str(caught.value)
    assert problem in str(caught.value)
    assert len(read(tmp_path, on_error="skip").documents) == len(build_demo().documents)
    assert "defects left out" in caplog.text
