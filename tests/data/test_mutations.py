"""Mutated files: a correct collection or a `DataError`, in memory and prepared, and skipping that reports itself."""

import gzip
import json
import logging
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.data.sources.folder import read_folder
from clir_lightning.errors import DataError
from data.sources.test_clirmatrix import QUERY, lay

DOCUMENTS = "".join(f"{i}\tҚазақ мәтіні {i}\n" for i in (17, 99, 5, 6)).encode()
QUERIES = "".join(json.dumps({**QUERY, "src_id": i}, ensure_ascii=False) + "\n" for i in (1, 2, 3)).encode()


def mutate(data: bytes, place: int, kind: str, value: bytes) -> bytes:
    at = place % (len(data) + 1)
    return {"cut": data[:at], "insert": data[:at] + value + data[at:], "replace": data[:at] + value + data[at + 1 :]}[
        kind
    ]


@settings(max_examples=300)
@given(
    which=st.sampled_from(["documents", "queries", "archive"]),
    place=st.integers(0, 10_000),
    kind=st.sampled_from(["cut", "insert", "replace"]),
    value=st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"\n", b"\t", b"\\ud800", b"9" * 5000, b"[" * 5000, b"null", b"\x00", b"1e999", b"\r"]),
    ),
    on_error=st.sampled_from(["error", "skip"]),
    prepared=st.booleans(),
)
def test_a_correct_collection_or_a_data_error(
    which: str, place: int, kind: str, value: bytes, on_error: str, prepared: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, documents, queries = Path(name), DOCUMENTS, QUERIES
        if which == "documents":
            documents = mutate(documents, place, kind, value)
        if which == "queries":
            queries = mutate(queries, place, kind, value)
        lay(folder, documents, queries)
        if which == "archive":
            (folder / "kk.tsv").unlink()
            (folder / "kk.tsv.gz").write_bytes(mutate(gzip.compress(documents), place, kind, value))
        try:
            got = read_clirmatrix(name, on_error=on_error, cache=f"{name}/cache" if prepared else None)
        except DataError:
            assert not [p for p in Path(name, "cache", "collections").glob("*") if not p.name.startswith(".")]
            return
        if on_error == "error" and which != "archive":
            assert len(got.documents) == documents.rstrip(b"\n").count(b"\n") + 1
            assert len(got.split("dev").queries) == queries.rstrip(b"\n").count(b"\n") + 1
        for query_id, grades in got.split("dev").qrels.items():
            assert got.split("dev").queries[query_id].text.strip()
            assert all(got.documents[document].text.strip() for document in grades)


def test_prepared_equals_in_memory(tmp_path: Path) -> None:
    lay(tmp_path, DOCUMENTS, QUERIES)
    plain = read_clirmatrix(str(tmp_path))
    for _ in range(2):  # made, then opened
        kept = read_clirmatrix(str(tmp_path), cache=str(tmp_path / "cache"))
        assert dict(kept.documents) == dict(plain.documents)
        for name, split in plain.splits.items():
            assert dict(kept.split(name).queries) == dict(split.queries)
            assert {q: dict(g) for q, g in kept.split(name).qrels.items()} == dict(split.qrels.items())
    assert "nothing" not in kept.documents
    with pytest.raises(KeyError):
        kept.documents["nothing"]


def test_skip_counts_and_reports_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lay(tmp_path, DOCUMENTS + b"no tab\n7\tbad \xff\n17\ttwice\n", QUERIES)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            got = read_clirmatrix(str(tmp_path), on_error="skip", cache=str(tmp_path / "cache"))
        assert len(got.documents) == 4
        assert "3 defects left out" in caplog.text
        assert "kk.tsv, line 5: no 'id<TAB>text'" in caplog.text


@pytest.mark.parametrize(("variant", "name"), [("full", "zh.kk.test2.full.jl"), ("multi8", "zh.kk.test2.jl")])
def test_variants_and_test2(tmp_path: Path, variant: str, name: str) -> None:
    lay(tmp_path, DOCUMENTS, QUERIES)
    (tmp_path / name).write_bytes(QUERIES)
    assert len(read_clirmatrix(str(tmp_path), variant=variant, splits=["test2"]).split("test2").queries) == 3


BEIR = {
    "corpus.jsonl": "".join(f'{{"_id": "d{i}", "title": "", "text": "Қазақ мәтіні {i}"}}\n' for i in range(4)),
    "queries.jsonl": "".join(f'{{"_id": "q{i}", "text": "查询 {i}"}}\n' for i in range(3)),
    "qrels/dev.tsv": "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{j}\t{j}\n" for i in range(3) for j in range(4)),
}
TREC = {
    "documents.tsv": "".join(f"d{i}\tҚазақ мәтіні {i}\n" for i in range(4)),
    "queries.tsv": "".join(f"q{i}\t查询 {i}\n" for i in range(3)),
    "qrels/dev.qrels": "".join(f"q{i} 0 d{j} {j}\n" for i in range(3) for j in range(4)),
    "runs/dev.trec": "".join(f"q{i} Q0 d{j} {j + 1} {4 - j}.5 first\n" for i in range(3) for j in range(4)),
}


@settings(max_examples=300)
@given(
    files=st.sampled_from([BEIR, TREC]),
    which=st.integers(0, 3),
    place=st.integers(0, 10_000),
    kind=st.sampled_from(["cut", "insert", "replace"]),
    value=st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"\n", b"\t", b" ", b"\\ud800", b"9" * 5000, b"[" * 5000, b"null", b"\x00", b"nan", b"\r"]),
    ),
    on_error=st.sampled_from(["error", "skip"]),
    prepared=st.booleans(),
)
def test_a_correct_folder_or_a_data_error(
    files: dict[str, str], which: int, place: int, kind: str, value: bytes, on_error: str, prepared: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = {file: text.encode() for file, text in files.items()}
        mutated = [*content][which % len(content)]
        content[mutated] = mutate(content[mutated], place, kind, value)
        for file, text in content.items():
            (Path(name) / file).parent.mkdir(exist_ok=True)
            (Path(name) / file).write_bytes(text)
        try:
            got = read_folder(
                name,
                query_language="zh",
                document_language="kk",
                splits=["dev"],
                on_error=on_error,
                cache=f"{name}/cache" if prepared else None,
            )
        except DataError:
            assert not [p for p in Path(name, "cache", "collections").glob("*") if not p.name.startswith(".")]
            return
        documents, queries, qrels, *run = (text.rstrip(b"\n").count(b"\n") + 1 for text in content.values())
        split = got.split("dev")
        if on_error == "error":  # each line is there, the header of BEIR's judgements aside
            assert len(got.documents) == documents
            assert sum(len(split.qrels[query]) for query in split.qrels) == qrels - (files is BEIR)
            assert split.run is None or [sum(len(split.run[query]) for query in split.run)] == run
            assert len(split.queries) <= queries
        for query_id, grades in split.qrels.items():
            assert split.queries[query_id].text.strip()
            assert all(got.documents[document].text.strip() for document in grades if document in got.documents)
