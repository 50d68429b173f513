"""The CLIRMatrix reader: what it reads, and one readable error for each way a file can be wrong."""

import gzip
import json
from pathlib import Path

import pytest

from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.errors import ConfigError, DataError

QUERY = {"src_id": 42, "src_query": "阿拉木图", "tgt_results": [["17", 6], [99, 0]]}


def lay(folder: Path, documents: bytes | None = None, queries: bytes | None = None) -> Path:
    """A folder with documents 17 and 99 and one query in each split, or with other bytes in their place."""
    documents = "17\tАлматы\n99\tАстана\n".encode() if documents is None else documents
    queries = (json.dumps(QUERY) + "\n").encode() if queries is None else queries
    (folder / "kk.tsv").write_bytes(documents)
    for split in ("train", "dev", "test1"):
        (folder / f"zh.kk.{split}.base.jl").write_bytes(queries)
    return folder


def line(**changes: object) -> bytes:
    return json.dumps({**QUERY, **changes}).encode() + b"\n"


def test_reads_texts_languages_and_grades(tmp_path: Path) -> None:
    collection = read_clirmatrix(str(lay(tmp_path)))
    assert list(collection.splits) == ["train", "dev", "test1"]
    query = collection.split("dev").queries["42"]
    assert (query.text, query.language) == ("阿拉木图", "zh")
    assert dict(collection.split("dev").qrels["42"]) == {"17": 6, "99": 0}
    document = collection.documents["99"]
    assert (document.text, document.language) == ("Астана", "kk")


def test_reads_gzip_and_text_with_tabs(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "kk.tsv").unlink()
    (tmp_path / "kk.tsv.gz").write_bytes(gzip.compress("17\tАлматы\tқаласы\r\n99\tb\n".encode()))
    assert read_clirmatrix(str(tmp_path)).documents["17"].text == "Алматы\tқаласы"


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (b"17\ta\n99 b\n", "kk.tsv, line 2: no 'id<TAB>text'"),
        (b"17\ta\n\n99\tb\n", "kk.tsv, line 2: no 'id<TAB>text'"),
        (b"\ta\n99\tb\n", "kk.tsv, line 1: "),
        (b"17\ta\n99\t  \n", "kk.tsv, line 2: document '99' is empty"),
        (b"17\ta\n99\tb\n17\tc\n", "kk.tsv, line 3: document id '17' twice"),
        (b"17\ta\n99\tb\xff\n", "kk.tsv, line 2: not UTF-8 (byte 0xff)"),
        (b"", "kk.tsv: no documents"),
        (b"17\ta\n", "zh.kk.train.base.jl, line 1: document '99' is not in the collection"),
    ],
)
def test_malformed_documents(tmp_path: Path, documents: bytes, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read_clirmatrix(str(lay(tmp_path, documents=documents)))
    assert problem in str(caught.value)
    assert "; " in str(caught.value)  # the cure


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        (b"", "zh.kk.train.base.jl: no queries"),
        (line() + b'{"src_id": 4', "zh.kk.train.base.jl, line 2: malformed JSON"),
        (b"[]\n", "line 1: not a CLIRMatrix query"),
        (b'"text"\n', "line 1: not a CLIRMatrix query"),
        (b'{"src_id": 1}\n', "line 1: not a CLIRMatrix query"),
        (line(tgt_results=[["17"]]), "line 1: not a CLIRMatrix query"),
        (line(tgt_results=3), "line 1: not a CLIRMatrix query"),
        (line(src_query="  "), "line 1: query '42' is empty"),
        (line(src_query=7), "line 1: "),
        (line(tgt_results=[["17", 1.5]]), "line 1: document '17' has grade 1.5, which is not a whole number"),
        (line(tgt_results=[["17", True]]), "line 1: document '17' has grade True, which is not a whole number"),
        (line(tgt_results=[["17", 1], ["17", 0]]), "line 1: document '17' twice for query '42'"),
        (line() + line(), "line 2: query id '42' twice"),
        (line() + b"\xfe", "line 2: not UTF-8 (byte 0xfe)"),
    ],
)
def test_malformed_queries(tmp_path: Path, queries: bytes, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read_clirmatrix(str(lay(tmp_path, queries=queries)))
    assert problem in str(caught.value)


def test_truncated_archive(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "kk.tsv").unlink()
    whole = gzip.compress("".join(f"{i}\tмәтін {i * 7919}\n" for i in range(5000)).encode())
    (tmp_path / "kk.tsv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"kk\.tsv\.gz, line \d+: broken gzip"):
        read_clirmatrix(str(tmp_path))


def test_missing_file_names_what_is_there(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "zh.kk.dev.base.jl").unlink()
    with pytest.raises(DataError, match=r"no file zh\.kk\.dev\.base\.jl\.gz.*zh\.kk\.test1\.base\.jl"):
        read_clirmatrix(str(tmp_path))
    with pytest.raises(DataError, match="no such folder"):
        read_clirmatrix(str(tmp_path / "nowhere"))


def test_missing_judged_documents_can_be_left_out(tmp_path: Path) -> None:
    lay(tmp_path, documents=b"17\ta\n")
    collection = read_clirmatrix(str(tmp_path), on_missing="skip")
    assert dict(collection.split("train").qrels["42"]) == {"17": 6}
    with pytest.raises(ConfigError, match="did you mean 'skip'"):
        read_clirmatrix(str(tmp_path), on_missing="skp")
