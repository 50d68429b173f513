"""Export: what is read from a folder is what was written into it, whatever lay there before."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.clirmatrix import read_clirmatrix, write_clirmatrix
from clir_lightning.data.sources.folder import read_folder
from clir_lightning.data.sources.folder_export import write_folder
from clir_lightning.data.store.fresh import check_free, fresh_folder
from clir_lightning.errors import DataError
from clir_lightning.types import Qrels, Query, Run
from program import clir

LANGUAGES = {"query_language": "zh", "document_language": "kk"}
SPLITS = ["train", "dev", "test1"]


def round_trip(collection: Collection, folder: Path, layout: str, cache: str | None = None) -> Collection:
    if layout == "clirmatrix":
        write_clirmatrix(collection, folder)
        return read_clirmatrix(str(folder), splits=SPLITS, cache=cache, **LANGUAGES)
    write_folder(collection, folder, layout=layout)
    return read_folder(str(folder), splits=SPLITS, cache=cache, **LANGUAGES)


def content(collection: Collection, runs: bool = True) -> Any:
    splits = {
        name: (
            dict(split.queries),
            {query: dict(split.qrels[query]) for query in split.qrels},
            split.run and runs and {query: dict(split.run[query]) for query in split.run},
        )
        for name, split in collection.splits.items()
    }
    return dict(collection.documents), splits


def with_split(collection: Collection, name: str, split: Split) -> Collection:
    return replace(collection, splits={**collection.splits, name: split})


@pytest.fixture(params=["beir", "trec", "clirmatrix"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("cached", [False, True])
def test_queries_without_judgements_come_back(
    collection: Collection, layout: str, tmp_path: Path, cached: bool
) -> None:
    queries = {"q3": Query("q3", "阿拉木图", "zh"), "q9": Query("q9", "没有答案", "zh")}
    dev = Split(queries, Qrels({"q3": {"c": 6, "a": 0}, "q9": {}}))
    wanted = with_split(collection, "dev", dev)
    back = round_trip(wanted, tmp_path / "out", layout, str(tmp_path / "cache") if cached else None)
    assert content(back) == content(wanted)


def test_a_split_without_any_judgement_comes_back(collection: Collection, layout: str, tmp_path: Path) -> None:
    blind = Split({"q9": Query("q9", "没有答案", "zh")}, Qrels({"q9": {}}))
    wanted = with_split(collection, "test1", blind)
    assert content(round_trip(wanted, tmp_path / "out", layout)) == content(wanted)


def test_an_id_that_two_splits_use_for_two_texts_comes_back(
    collection: Collection, layout: str, tmp_path: Path
) -> None:
    run = Run({"q1": {"d": 2.0, "c": 1.0}, "q2": {"a": 1.0}})
    other = Split(
        {"q1": Query("q1", "阿拉木图", "zh")}, Qrels({"q1": {"c": 6}}), None if layout == "clirmatrix" else run
    )
    wanted = with_split(collection, "dev", other)
    back = round_trip(wanted, tmp_path / "out", layout)
    assert (back.split("train").queries["q1"].text, back.split("dev").queries["q1"].text) == ("哈萨克语", "阿拉木图")
    if layout != "clirmatrix":
        assert not list((tmp_path / "out").glob("queries.*"))
        assert back.split("dev").run == Run({"q1": {"d": 2.0, "c": 1.0}}, "dev")  # q2 is not a query of dev
        wanted = with_split(wanted, "dev", replace(other, run=back.split("dev").run))
    assert content(back) == content(wanted)


def test_the_common_file_alone_where_it_tells_everything(collection: Collection, tmp_path: Path) -> None:
    names = {"beir": {"corpus.jsonl", "queries.jsonl", "qrels"}, "trec": {"documents.tsv", "queries.tsv", "qrels"}}
    for layout, expected in names.items():
        files = write_folder(collection, tmp_path / layout, layout=layout)
        assert {path.name for path in (tmp_path / layout).iterdir()} == expected
        assert all(path.is_file() for path in files)


def test_a_folder_that_holds_other_files_is_rejected_and_stays_as_it_is(
    collection: Collection, layout: str, tmp_path: Path
) -> None:
    """An old `runs/dev.trec`, or a plain file beside a new gzipped one, would be read with what is written."""
    (tmp_path / "out" / "runs").mkdir(parents=True)
    (tmp_path / "out" / "runs" / "dev.trec").write_text("q3 Q0 d 1 1.0 old\n")
    with pytest.raises(DataError, match="out: is not empty, it holds runs; give a new folder, or empty this one"):
        round_trip(collection, tmp_path / "out", layout)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["runs", "dev.trec"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: is a file; give the path of a new or empty folder"):
        round_trip(collection, tmp_path / "file", layout)
    (tmp_path / "empty").mkdir()
    assert content(round_trip(collection, tmp_path / "empty", layout)) == content(collection)
    with pytest.raises(DataError, match=r"is not empty, it holds (.*qrels|kk\.tsv\.gz, zh\.kk\.dev\.base\.jl\.gz)"):
        round_trip(collection, tmp_path / "empty", layout)


def test_a_failed_export_leaves_nothing(collection: Collection, layout: str, tmp_path: Path) -> None:
    half = replace(
        collection, documents={**collection.documents, "e": replace(collection.documents["a"], text="\ud800")}
    )
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with pytest.raises(DataError, match="half a character"):
            round_trip(half, tmp_path / name, layout)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_killed_export_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom clir_lightning.data.store.fresh import fresh_folder\n"
        "with fresh_folder(sys.argv[1], 'corpus.jsonl') as folder:\n"
        "    (folder / 'corpus.jsonl').write_text('half')\n    os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")]).returncode == -9
    assert len(list((tmp_path / "out").iterdir())) == 1
    check_free(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_export_at_work_is_in_the_way_and_the_file_that_readers_look_for_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []

    def rename(one: Path, other: Path) -> None:
        moved.append(one.name)
        one.replace(other)

    monkeypatch.setattr("os.rename", rename)
    with fresh_folder(tmp_path, "b") as folder:
        for name in "abc":
            (folder / name).write_text(name)
        with pytest.raises(DataError, match=r"is not empty, it holds \.new\..*partial"):
            check_free(tmp_path)
    assert sorted(moved[:2]) == ["a", "c"]
    assert moved[2:] == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_of_two_exports_that_begin_at_the_same_moment_no_files_are_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other begins when this one has found the folder free, and ends after it."""
    target = tmp_path / "out"
    mkdir = Path.mkdir
    with ExitStack() as others:

        def overtaken(path: Path, *arguments: Any, **settings: Any) -> None:
            monkeypatch.setattr(Path, "mkdir", mkdir)
            (others.enter_context(fresh_folder(target, "b")) / "b").write_text("other")
            mkdir(path, *arguments, **settings)

        monkeypatch.setattr(Path, "mkdir", overtaken)
        with pytest.raises(DataError, match="is not empty"), fresh_folder(target, "b") as own:
            (own / "a").write_text("own")
    assert {path.name: path.read_text() for path in target.iterdir()} == {"b": "other"}


def test_the_command_rejects_before_it_reads_the_collection(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.tsv").write_text("")
    for command in (["data", "export", "data=folder", "data.path=nowhere"], ["data", "fetch"]):
        languages = ["data.query_language=zh", "data.document_language=kk"] if command[1] == "export" else []
        done = clir(*command, *languages, "path=out", cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert (
            done.stderr.strip()
            .splitlines()[-1]
            .endswith("out: is not empty, it holds old.tsv; give a new folder, or empty this one")
        )


def test_two_files_of_one_name_or_two_layouts_are_rejected_in_reading(collection: Collection, tmp_path: Path) -> None:
    write_folder(collection, tmp_path / "beir")
    write_folder(collection, tmp_path / "trec", layout="trec")
    for file in ("corpus.jsonl", "queries.jsonl", "qrels/dev.tsv", "runs/dev.trec", "queries/dev.jsonl"):
        pair = [tmp_path / "beir" / file, tmp_path / "beir" / f"{file}.gz"]
        new = [path for path in pair if not path.exists()]
        for path in new:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        with pytest.raises(DataError, match=f"{pair[1].name} and {pair[0].name} are both there; remove the wrong one"):
            read_folder(str(tmp_path / "beir"), splits=SPLITS, **LANGUAGES)
        for path in new:
            path.unlink()
    write_clirmatrix(collection, tmp_path / "raw")
    (tmp_path / "raw" / "kk.tsv").write_text("old\told\n")
    with pytest.raises(DataError, match=r"kk\.tsv\.gz and kk\.tsv are both there"):
        read_clirmatrix(str(tmp_path / "raw"), splits=SPLITS, **LANGUAGES)
    (tmp_path / "trec" / "documents.tsv").rename(tmp_path / "beir" / "documents.tsv")
    with pytest.raises(DataError, match=r"holds a BEIR and a TREC collection; set data\.layout"):
        read_folder(str(tmp_path / "beir"), splits=SPLITS, **LANGUAGES)
    assert content(read_folder(str(tmp_path / "beir"), layout="beir", splits=SPLITS, **LANGUAGES)) == content(
        collection
    )


def test_a_layout_without_candidates_says_so(
    collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dev = replace(collection.split("dev"), run=Run({"q3": {"a": 1.0}}, name="first"))
    write_clirmatrix(with_split(collection, "dev", dev), tmp_path / "out")
    assert "dev: the layout has no place for candidates; run first is left out" in caplog.text
