"""An id is unique within a split only: raw files may number the queries of each split from 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from data.tokenizers_for_tests import bert_like

QUERIES = {
    "train": ["哈萨克语", "法语", "阿拉木图"],
    "dev": ["阿斯塔纳", "语言"],
    "test1": ["哈萨克斯坦", "法国", "城市", "德语"],
}
LOADERS: dict[str, Callable[[RankingDataModule], Any]] = {
    "train": RankingDataModule.train_dataloader,
    "dev": RankingDataModule.val_dataloader,
    "test1": RankingDataModule.test_dataloader,
}


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Raw files whose splits number their queries 1, 2, …, each with texts of its own."""
    (tmp_path / "kk.tsv").write_text("17\tАлматы\n99\tАстана\n", encoding="utf-8")
    for split, texts in QUERIES.items():
        rows = [
            {"src_id": number, "src_query": text, "tgt_results": [["17", 6], ["99", 0]]}
            for number, text in enumerate(texts, start=1)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"zh.kk.{split}.base.jl").write_text(lines)
    return tmp_path


def texts_of(loader: Any) -> dict[str, str]:
    """The tokens of each query, out of the batches, as a text without spaces."""
    found = {}
    for batch in loader:
        if not batch.samples:  # documents alone
            continue
        if isinstance(batch, TextBatch):
            rows = [ids.tolist() for ids in batch.queries.input_ids]
        else:
            width = batch.grades.shape[1]
            own, spans = batch.input_ids[::width], batch.query_spans[::width].tolist()
            rows = [ids[start:stop].tolist() for ids, (start, stop) in zip(own, spans, strict=True)]
        for sample, row in zip(batch.samples, rows, strict=True):
            found[sample.query_id] = str(bert_like().decode(row, skip_special_tokens=True)).replace(" ", "")
    return found


@pytest.mark.parametrize("batches", [PairBatches(), TextBatches()])
@pytest.mark.parametrize("cached", [False, True])
def test_each_splits_batches_hold_its_own_queries(numbered: Path, batches: Batches, cached: bool) -> None:
    cache = str(numbered / "cache") if cached else None
    collection = read_clirmatrix(str(numbered), cache=cache)
    data = RankingDataModule(collection, batches, sampling=BestAgainstRandom(), cache=cache)
    data.tokenise(bert_like())
    for split, load in LOADERS.items():
        expected = {str(number): text for number, text in enumerate(QUERIES[split], start=1)}
        assert texts_of(load(data)) == expected


def test_the_token_ids_are_those_of_the_splits_own_text(numbered: Path) -> None:
    """The pair of query 1 and document 17, as the tokenizer joins them, in each split."""
    data = RankingDataModule(read_clirmatrix(str(numbered)), PairBatches(), sampling=BestAgainstRandom())
    data.tokenise(bert_like())
    for split, load in LOADERS.items():
        expected = bert_like()(QUERIES[split][0], "Алматы")["input_ids"]
        rows = [
            row[: len(expected)].tolist()
            for batch in load(data)
            for row, pair in zip(
                batch.input_ids, chain(*([s] * len(s.document_ids) for s in batch.samples)), strict=True
            )
            if pair.query_id == "1"
        ]
        assert expected in rows, split


def test_the_share_that_is_cut_is_of_each_splits_own_queries(numbered: Path) -> None:
    """Three splits of 3 + 2 + 4 queries with two documents each; beside a query of q tokens, 9 − 3 − q are left."""
    collection = read_clirmatrix(str(numbered))
    data = RankingDataModule(collection, PairBatches(max_length=9), sampling=BestAgainstRandom())
    data.tokenise(bert_like())
    own = bert_like()
    size = {text: len(own(text, add_special_tokens=False)["input_ids"]) for text in ("Алматы", "Астана")}
    shares = []
    for split, part in {"dev": data.candidates["val"], "test1": data.candidates["test"]}.items():
        cut = [
            size[document] > 9 - 3 - len(own(query, add_special_tokens=False)["input_ids"])
            for query in QUERIES[split]
            for document in size
        ]
        assert part.dataset.cut_share(part.run.items()) == pytest.approx(sum(cut) / len(cut))
        shares.append(sum(cut) / len(cut))
    assert len({0.0, 1.0, *shares}) > 2
