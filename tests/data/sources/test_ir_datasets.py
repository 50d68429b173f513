"""ir_datasets ids without a network: CLIRMatrix's own files laid into the package's home, and a set of our own."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.candidates import candidates
from clir_lightning.data.sources import source
from clir_lightning.data.sources.ir_datasets import read_ir_datasets, split_ids
from clir_lightning.errors import ConfigError, DataError

ir_datasets = pytest.importorskip("ir_datasets", reason="ir_datasets is not installed; it comes with the extra 'ir'")
ID = "clirmatrix/kk/bi139-base/zh/train"

CLIRMATRIX = """
import sys
from clir_lightning.data.sources.ir_datasets import read_ir_datasets
got = read_ir_datasets("clirmatrix/kk/bi139-base/zh/train", splits=["train", "dev"])
print(got.query_language, got.document_language, dict(got.documents)["d1"].text)
print(sorted(got.splits), got.split("dev").queries["7"].text, dict(got.split("dev").qrels["7"]))
"""


def lay(home: Path) -> None:
    """The package's list of CLIRMatrix's files, for one pair, and those files."""
    folder = home / "clirmatrix"
    folder.mkdir(parents=True)
    row = {"src_id": "7", "src_query": "阿拉木图", "tgt_results": [["d1", 6], ["d2", 0]]}
    contents = {"kk": "d1\tАлматы\nd2\tАстана\n", "train": json.dumps(row) + "\n", "dev": json.dumps(row) + "\n"}
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content.encode()))

    def entry(name: str) -> dict[str, str]:
        return {"url": "http://nowhere.invalid/", "expected_md5": "0" * 32, "cache_path": f"{name}.gz"}

    files = {
        "clirmatrix_docs": {"docs/kk": entry("kk")},
        "clirmatrix_bi139_base": {f"queries/zh_kk/{split}": entry(split) for split in ("train", "dev")},
    }
    (folder / "clirmatrix_downloads.json.gz").write_bytes(gzip.compress(json.dumps(files).encode()))


def test_clirmatrix_ids_which_the_registry_knows_by_pattern_only(tmp_path: Path) -> None:
    lay(tmp_path)
    environment = {**os.environ, "IR_DATASETS_HOME": str(tmp_path)}  # read when the package is imported
    done = subprocess.run([sys.executable, "-c", CLIRMATRIX], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "zh kk Алматы",
        "['dev', 'train'] 阿拉木图 {'d1': 6, 'd2': 0}",
    ], done.stderr[-2000:]


@pytest.fixture
def registered(tmp_path: Path) -> str:
    """The id of a set with scored documents, made of local TREC files."""
    formats = ir_datasets.formats
    files = {
        "docs": "d1\tАлматы\nd2\tАстана\nd3\tҚызылорда\n",
        "queries": "q1\t阿拉木图\nq2\t阿斯塔纳\n",
        "qrels": "q1 0 d1 2\nq1 0 d2 0\nq2 0 d2 1\n",
        "scored": "q1 Q0 d3 1 2.5 first\nq1 Q0 d1 2 1.5 first\n",
    }
    paths = {}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        paths[name] = Local(tmp_path / name)
    dataset: Any = ir_datasets.datasets.base.Dataset(
        formats.TsvDocs(paths["docs"], namespace="local", lang="kk"),
        formats.TsvQueries(paths["queries"], lang="zh"),
        formats.TrecQrels(paths["qrels"], {}),
        formats.TrecScoredDocs(paths["scored"]),
    )
    name = f"local-{tmp_path.name}"
    ir_datasets.registry.register(f"{name}/test", dataset)
    return f"{name}/test"


class Local:
    """A file that is there, as the package's readers want it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def path(self, force: bool = True) -> Path:
        return self._path

    def stream(self) -> Any:
        return open(self._path, "rb")


@pytest.mark.parametrize("prepared", [False, True])
def test_scored_documents_become_candidates(registered: str, prepared: bool, tmp_path: Path) -> None:
    got = read_ir_datasets(registered, cache=str(tmp_path / "cache") if prepared else None)
    split = got.split("test")
    assert dict(split.qrels["q1"]) == {"d1": 2, "d2": 0}
    assert split.run is not None
    assert dict(split.run["q1"]) == {"d3": 2.5, "d1": 1.5}
    lists = candidates(got, "test", depth=10, seed=1)
    assert {query: set(lists[query]) for query in lists} == {"q1": {"d1", "d3"}, "q2": set()}


@pytest.mark.parametrize("moment", ["listed", "stamped"])
def test_what_another_process_fetches_meanwhile_may_go_at_any_moment(
    moment: str, registered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fetches another split of the same set into a folder of its own, which it then removes."""
    monkeypatch.setattr(ir_datasets.util, "home_path", lambda: tmp_path / "home")
    fetching = tmp_path / "home" / registered.split("/")[0] / "fetching"
    fetching.mkdir(parents=True)
    (fetching / "part").write_text("half")
    place, name = {"listed": (os, "scandir"), "stamped": (source, "file_stamp")}[moment]
    real = getattr(place, name)

    def removed_first(path: Path) -> object:
        if fetching in (Path(path), Path(path).parent):
            monkeypatch.setattr(place, name, real)
            shutil.rmtree(fetching)
        return real(path)

    monkeypatch.setattr(place, name, removed_first)
    got = read_ir_datasets(registered, cache=str(tmp_path / "cache"))
    assert got.split("test").qrels["q1"]["d1"] == 2
    assert not fetching.exists()
    assert read_ir_datasets(registered, cache=str(tmp_path / "cache")).key == got.key


def test_the_cache_follows_the_files_the_version_and_the_home_of_the_package(
    registered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change is read anew and comes with a key of its own, which the tokens and runs made from it follow."""
    cache = str(tmp_path / "cache")
    monkeypatch.setattr(ir_datasets.util, "home_path", lambda: tmp_path / "home")
    own = tmp_path / "home" / registered.split("/")[0]
    own.mkdir(parents=True)
    (own / "part").write_text("one")

    def grade() -> tuple[str, int]:
        got = read_ir_datasets(registered, cache=cache)
        return got.key, got.split("test").qrels["q1"]["d1"]

    first, before = grade()
    assert before == 2
    assert grade() == (first, 2)
    (tmp_path / "qrels").write_text("q1 0 d1 1\nq2 0 d2 1\n")
    second, after = grade()
    assert (second != first, after) == (True, 1)
    assert grade() == (second, 1)
    (own / "new").write_text("another data set's")  # what was not there when it was read does not matter
    assert grade() == (second, 1)
    (own / "part").write_text("another")  # a file that the package does not tell, under its home
    third = grade()[0]
    monkeypatch.setattr(ir_datasets, "__version__", "99.0")
    fourth = grade()[0]
    monkeypatch.setattr(ir_datasets.util, "home_path", lambda: tmp_path / "elsewhere")
    fifth = grade()[0]
    assert len({first, second, third, fourth, fifth}) == 5
    (tmp_path / "scored").unlink()  # files are not wanted any more once they are read
    assert grade()[0] == fifth


def test_unknown_ids_and_splits_are_rejected(registered: str) -> None:
    with pytest.raises(ConfigError, match="knows no 'nowhere/at-all'"):
        read_ir_datasets("nowhere/at-all")
    with pytest.raises(ConfigError, match="knows neither"):
        split_ids(registered, ["nope"])
    assert split_ids(registered, None) == {"test": registered}


def test_what_cannot_be_fetched_is_one_error_with_a_cure(tmp_path: Path) -> None:
    code = f"from clir_lightning.data.sources.ir_datasets import read_ir_datasets; read_ir_datasets('{ID}')"
    environment = {**os.environ, "IR_DATASETS_HOME": str(tmp_path / "empty"), "http_proxy": "http://127.0.0.1:9"}
    environment |= {"https_proxy": "http://127.0.0.1:9", "IR_DATASETS_DL_TRIES": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert f"DataError: {ID}" in done.stderr
    assert "check the network, or put the files under" in done.stderr
    assert DataError.__name__ in done.stderr
