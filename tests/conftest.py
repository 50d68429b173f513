"""What several tests share: the real data beside the checkout, small collections, and one finished run of the demo."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from clir_lightning.data.collection import Collection, Split
from clir_lightning.types import Document, Qrels, Query
from program import ROOT, SHORT, clir

# Numbers are compared with those of a CPU, and processes by the number that a test asks for: a GPU has no part in it.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch.set_num_threads(1)  # as `program` has it for other processes

# A busy machine is not a defect: hypothesis looks at no clock. Nor does a test fail by the luck of a draw that nobody
# can draw again: its examples are those of the test, and others when the test is another.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


# Files of half a minute and more, the longest first, by `--no-loadscope-reorder`: workers that share the files out then
# end together.
LONGEST = (
    *("test_notebooks", "test_walk", "test_processes", "test_gpu_check", "test_lucene", "test_resume", "test_site"),
    *("test_evaluate", "test_extending", "test_sweep", "test_config", "test_original_table", "test_examples"),
    *("test_cluster", "test_page", "test_expansion"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others in their order."""
    places = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Prepared collections and tokens of the tests stay out of the user's cache."""
    os.environ["CLIR_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random numbers of a test do not depend on the tests before it."""
    torch.manual_seed(0)
    logging.getLogger("clir_lightning").setLevel(logging.INFO)  # as in a job, whatever ran before in this process
    torch.set_flush_denormal(False)  # a training in this process has set it


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real Chinese–Kazakh data; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data folder ../shared/data is absent")
    return folder


@pytest.fixture
def collection() -> Collection:
    """Four documents and three queries, small enough to work through by hand."""
    words = {"a": "қазақ тілі — тіл", "b": "француз тілі — тіл", "c": "Алматы — қала", "d": "Астана — қала"}
    documents = {i: Document(i, text, "kk") for i, text in words.items()}
    queries = {"q1": "哈萨克语", "q2": "法语", "q3": "阿拉木图"}
    grades = {"q1": {"a": 6, "b": 0, "c": 0}, "q2": {"b": 6, "a": 3, "d": 0}, "q3": {"c": 6, "d": 2, "a": 0}}

    def split(*ids: str) -> Split:
        return Split({i: Query(i, queries[i], "zh") for i in ids}, Qrels({i: grades[i] for i in ids}))

    return Collection("small", documents, {"train": split("q1", "q2"), "dev": split("q3"), "test1": split("q3")})


@pytest.fixture
def clirmatrix_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small folder in the raw CLIRMatrix layout; keyword arguments replace single files' content."""

    def write(**replaced: str) -> Path:
        files = {"kk.tsv": "".join(f"d{i}\tқұжат {i} — мәтін\n" for i in range(8))}
        for split, count in (("train", 4), ("dev", 2), ("test1", 2)):
            rows = [
                {"src_id": f"{split}{i}", "src_query": f"查询{i}", "tgt_results": [[f"d{i}", 6], [f"d{i + 1}", 0]]}
                for i in range(count)
            ]
            files[f"zh.kk.{split}.base.jl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            key = name.replace(".", "_")
            with gzip.open(folder / f"{name}.gz", "wt", encoding="utf-8") as stream:
                stream.write(replaced.get(key, content))
        return folder

    return write


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a two-step `clir train` on the demo."""
    home = tmp_path_factory.mktemp("demo")
    clir("train", *SHORT, "candidates.test_queries=5", "hydra.run.dir=out", "logger=[csv,wandb]", cwd=home)
    return home / "out"


@pytest.fixture(scope="session")
def dual_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a short `clir train architecture=dual` on the demo, with a query prefix."""
    home = tmp_path_factory.mktemp("dual")
    settings = ("architecture=dual", "batches.query_prefix='query: '", "candidates.test_queries=5")
    longer = ("++trainer.limit_train_batches=30", "encoder.cooccurrence=true")
    clir("train", *SHORT, *settings, *longer, "hydra.run.dir=out", cwd=home)
    return home / "out"
