"""An architecture with an input of its own: its feature goes the whole way beside the tokens of the same pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from clir_lightning.build import build
from clir_lightning.configuration import config_folder
from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.types import Document, Qrels, Query
from data.tokenizers_for_tests import bert_like

# Query i asks with i words and document j has j; `q1` is another text in every split.
DOCUMENTS = {f"d{j}": Document(f"d{j}", " ".join(["тіл"] * j), "kk") for j in range(1, 7)}
WORDS = {"train": {"q1": 1, "q2": 2, "q3": 3}, "dev": {"q1": 4}, "test1": {"q1": 5}}
GRADES = {"d1": 1, "d2": 0, "d3": 0, "d4": 0, "d5": 0, "d6": 0}


def collection() -> Collection:
    splits = {}
    for split, sizes in WORDS.items():
        queries = {query: Query(query, " ".join(["сөз"] * size), "zh") for query, size in sizes.items()}
        splits[split] = Split(queries, Qrels(dict.fromkeys(queries, GRADES)))
    return Collection("words", DOCUMENTS, splits)


def sizes(queries: Sequence[Query], documents: Sequence[Document]) -> Tensor:
    """The words of both, `[N, 2]`."""
    pairs = zip(queries, documents, strict=True)
    return torch.tensor(
        [[float(len(query.text.split())), float(len(document.text.split()))] for query, document in pairs]
    )


class Sizes:
    """The same as a class that a configuration can name."""

    def __call__(self, queries: Sequence[Query], documents: Sequence[Document]) -> Tensor:
        return sizes(queries, documents)


class Ratio(nn.Module):
    """Reads no token: the query's words divided by the document's."""

    def forward(self, batch: PairBatch) -> Tensor:
        query, document = batch.extra["sizes"].unbind(dim=1)
        return (query / document).view(batch.grades.shape)


def expected(split: str, query: str, documents: Sequence[str]) -> list[float]:
    return [WORDS[split][query] / int(document[1:]) for document in documents]


def made(**settings: Any) -> RankingDataModule:
    batches = PairBatches(features={"sizes": sizes}, **settings)
    data = RankingDataModule(collection(), batches, sampling=Listwise(4))
    data.tokenise(bert_like())
    return data


@pytest.mark.parametrize("parts", [1, 4])
def test_a_training_step_reads_each_pairs_own(parts: int) -> None:
    """Also where the module reorders the step's rows by length and cuts it into parts, with rows to fill up."""
    (batch,) = made().train_dataloader()
    scores = PairModule(Ratio(), {}, parts=parts)(batch.to(torch.device("cpu")))
    assert scores.shape == (3, 4)
    for sample, row in zip(batch.samples, scores.tolist(), strict=True):
        assert row == pytest.approx(expected("train", sample.query_id, sample.document_ids))


def test_scoring_reads_the_query_of_its_own_split_and_a_part_its_own_rows() -> None:
    data = made(score_size=4)
    for split, candidates in {"dev": data.candidates["val"], "test1": data.candidates["test"]}.items():
        for batch in candidates.loader():
            budget = TokenBudget()
            budget.tokens = 1  # each pair by itself, as after memory ran out
            found = torch.cat([scores for _, scores in budget(Ratio(), batch)])[:, 0].tolist()
            assert found == pytest.approx([expected(split, s.query_id, s.document_ids)[0] for s in batch.samples])


def test_a_feature_moves_with_its_batch() -> None:
    (batch,) = made().train_dataloader()
    moved = batch.to(torch.device("meta"))
    assert moved.extra["sizes"].device.type == moved.input_ids.device.type == "meta"


def test_an_architectures_file_brings_its_feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `data.batches.features` describes it, from a folder of the user's; the command line still sets the rest."""
    (tmp_path / "architecture").mkdir()
    (tmp_path / "architecture" / "ratio.yaml").write_text(
        "# @package _global_\n"
        f"architecture: {{_target_: {__name__}.Ratio}}\n"
        f"batches: {{features: {{sizes: {{_target_: {__name__}.Sizes}}}}}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("CLIR_ALLOW", __name__.partition(".")[0])
    overrides = ["architecture=ratio", "batches.max_length=77", f"hydra.searchpath=[file://{tmp_path}]"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", overrides=overrides)
    batches = build(config.batches)
    assert isinstance(batches, PairBatches)
    assert batches.max_length == 77
    data = RankingDataModule(collection(), batches, sampling=Listwise(4))
    data.tokenise(bert_like())
    (batch,) = data.val_dataloader()
    assert build(config.architecture)(batch)[:, 0].tolist() == pytest.approx(
        [expected("dev", s.query_id, s.document_ids)[0] for s in batch.samples]
    )


def test_a_feature_must_have_a_row_per_pair() -> None:
    batches = PairBatches(features={"sizes": lambda queries, documents: torch.zeros(3)})
    data = RankingDataModule(collection(), batches, sampling=Listwise(4))
    data.tokenise(bert_like())
    with pytest.raises(ConfigError, match=r"batches.features.sizes gives a tensor of shape \(3,\) for 12 pairs"):
        next(iter(data.train_dataloader()))
