"""One engine for models of pairs and of texts: whole passes as runs, device, precision, modes, memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.batches.pairs import PairBatch, PairDataset
from clir_lightning.data.batches.scoring import ScoringBatches
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.hike import HIKE
from clir_lightning.scoring.computing import CPU, Computing
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.scorers import OrderError
from clir_lightning.scoring.trial import repeated, trial
from clir_lightning.types import Run, Sample
from lightning.shares_for_tests import QUERIES, collection, prepared, together
from models.fakes import TextTable
from models.knowledge_for_tests import SOME, TEXTS, batch_of
from models.knowledge_for_tests import dataset as known_dataset
from scoring.passes import Given, Itself, given, loader
from scoring.test_scorers import documents, queries


class Asked(nn.Module):
    """Scores a pair by a product, and remembers where, and in which mode, it was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0 + 2**-10]]))  # bfloat16 rounds this to 1
        self.seen: list[Any] = []

    def forward(self, batch: Any) -> Tensor:
        self.seen.append((str(self.weight.device), str(batch.values.device), self.training))
        scores: Tensor = (batch.values @ self.weight).float()
        self.inference = scores.is_inference()
        return scores


class Numbers(SimpleNamespace):
    """A batch of pairs with one number each."""

    def to(self, device: torch.device) -> Numbers:
        return Numbers(values=self.values.to(device), samples=self.samples, input_ids=self.values)


def batch(query: str, document: str, value: float = 1.0) -> Numbers:
    return Numbers(values=torch.tensor([[value]]), samples=[Sample(query, (document,), (0,))])


@pytest.mark.parametrize(("precision", "expected"), [("32-true", 1.0 + 2**-10), ("bf16-mixed", 1.0)])
def test_scores_are_computed_in_the_precision_that_is_given(precision: str, expected: float) -> None:
    engine = Engine(Asked(), Computing(CPU, precision))
    assert engine.score(given([batch("q", "d")]), name="r")["q"] == {"d": expected}


def test_a_pass_becomes_a_run_and_leaves_the_model_in_its_mode() -> None:
    model = Asked().train()
    engine = Engine(model)
    run = engine.score(given([batch("q", "d", 0.0), batch("p", "d", 0.0), batch("q", "e", 0.0)]), name="the run")
    assert (dict(run), run.name) == ({"q": {"d": 0.0, "e": 0.0}, "p": {"d": 0.0}}, "the run")
    assert model.seen == [("cpu", "cpu", False)] * 3
    assert model.inference
    assert model.training
    assert (engine.documents, engine.queries) == ({}, {})


def test_model_and_batches_are_moved_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """`meta` stands for a device that this machine lacks: a batch or a model left behind would be an error."""
    engine = Engine(Asked(), Computing(torch.device("meta")))
    step = engine.step
    monkeypatch.setattr(engine, "step", lambda made: torch.zeros_like(step(made), device="cpu"))
    engine.score(given([batch("q", "d")]), name="r")
    assert engine.model.seen == [("meta", "meta", False)]


def test_a_step_within_a_trainer_changes_neither_mode_nor_precision() -> None:
    engine = Engine(Asked().train())
    scores = engine.step(batch("q", "d"))
    assert scores.requires_grad
    assert scores.item() == 1.0 + 2**-10
    assert engine.model.seen == [("cpu", "cpu", True)]


def test_a_pass_begins_without_the_vectors_of_another() -> None:
    engine = Engine(TextTable())
    engine._scorer.documents.add([1], torch.ones(1, 6))  # type: ignore[union-attr]
    engine._scorer.complete = True  # type: ignore[union-attr]
    assert list(engine.documents) == [1]
    engine.score(given([]), name="r")
    assert engine.documents == {}


@pytest.mark.parametrize("fails", ["between two steps", "in a step"])
def test_a_pass_that_fails_keeps_no_vectors(fails: str) -> None:
    engine = Engine(TextTable())

    class Batches(Itself):
        def __getitem__(self, step: TextBatch) -> TextBatch:
            if step.samples and fails == "between two steps":
                raise OSError("no more batches")
            return step

    kept: list[int] = []
    step = engine.step

    def watched(batch: TextBatch) -> Tensor:
        try:
            return step(batch)
        finally:
            kept.extend(engine.documents)

    engine.step = watched  # type: ignore[method-assign]
    batches = [documents([11], [12]), queries([1], of=[[13]])]
    with pytest.raises((OSError, OrderError), match=r"no more batches|d13"):
        engine.score(loader(Batches(), Given(batches)), name="r")
    assert kept == [11, 12]
    assert (engine.documents, engine.queries) == ({}, {})


def test_a_trainers_step_that_fails_keeps_no_vectors() -> None:
    engine = Engine(TextTable())
    engine.step(documents([11]))
    assert list(engine.documents) == [11]
    with pytest.raises(OrderError, match="d13"):
        engine.step(queries([1], of=[[13]]))
    assert engine.documents == {}


def pairs(name: str) -> tuple[Encoder, PairDataset, Run]:
    """Seven queries with one to four documents each."""
    encoder, texts = Encoder(name), collection()
    queries = tokenise(texts.split("train").queries, encoder.tokenizer, name="q")
    documents = tokenise(texts.documents, encoder.tokenizer, name="d")
    assembler = PairAssembler(queries, documents, PairTemplate.of(encoder.tokenizer), encoder.pad_id, 64, None, None)
    lists = {f"q{i}": {f"d{(i + step) % QUERIES}": 0.0 for step in range(1 + i % 4)} for i in range(QUERIES)}
    return encoder, PairDataset(assembler), Run(lists)


def score(rank: int, world: int, folder: Path) -> Run:
    """All pairs in batches of six, three for each of them: 16 pairs are 3 batches, one for each of three processes."""
    encoder, made, run = pairs(str(folder / "encoder"))
    torch.manual_seed(0)
    engine = Engine(CrossEncoder(encoder))
    steps = ScoringBatches(run, lengths=made.pair_lengths, size=6, rank=rank, world_size=world)
    return engine.score(loader(made, steps), name="r")


@pytest.mark.parametrize("world", [2, 3])
def test_all_processes_get_the_run_of_all_pairs(world: int, tmp_path: Path) -> None:
    prepared(tmp_path)
    alone, everyone = score(0, 1, tmp_path), together(score, world, tmp_path)
    assert sum(map(len, alone.values())) == 16
    for shared in everyone:
        assert shared == everyone[0]
        assert {query: shared[query].keys() for query in shared} == {query: alone[query].keys() for query in alone}
        for query, scores in alone.items():
            assert shared[query] == pytest.approx(scores, abs=1e-6)


def test_pairs_that_do_not_fit_into_memory_are_scored_in_parts(tmp_path: Path) -> None:
    prepared(tmp_path)
    expected = score(0, 1, tmp_path)
    encoder, made, run = pairs(str(tmp_path / "encoder"))
    torch.manual_seed(0)
    model = CrossEncoder(encoder)
    forward, sizes = model.forward, []

    def tight(part: PairBatch) -> Tensor:
        sizes.append(part.input_ids.numel())
        if sizes[-1] > 40:
            raise torch.OutOfMemoryError("injected")
        return forward(part)

    model.forward = tight  # type: ignore[method-assign, assignment]
    engine = Engine(model)
    steps = ScoringBatches(run, lengths=made.pair_lengths, size=16)
    failures = []
    for _ in range(2):
        found = engine.score(loader(made, steps), name="r")
        assert found.by_query.keys() == expected.by_query.keys()
        for query, scores in expected.items():
            assert found[query] == pytest.approx(scores, abs=1e-6)
        failures.append(sum(size > 40 for size in sizes))
    assert failures[0] >= 1
    assert failures[1] == failures[0]  # the budget is remembered from pass to pass


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_pass_encodes_each_text_of_a_graph_once_and_keeps_none(encoder: Encoder, precision: str) -> None:
    """Every pair by itself: five batches share six texts, which each of them alone would encode again."""
    pairs = Run({"lang": dict.fromkeys(("one", "few", "some"), 0.0), "french": {"one": 0.0}, "plain": {"few": 0.0}})
    made = known_dataset(encoder)
    model = HIKE(encoder, TEXTS["maxsim"])
    model.weight.data.fill_(0.3)
    engine = Engine(model, Computing(CPU, precision))

    def scored(size: int) -> Run:
        steps = ScoringBatches(pairs, lengths=made.pair_lengths, size=size)
        return engine.score(PairBatches().loader(made, steps), name="r")

    # Five texts around the entity of `lang`, one and four around those of `french` and `one`, one where nothing is linked.
    found = scored(1)
    assert (model.texts.encoded, model.texts.reused) == (6, 3 * 5 + (1 + 4) + 1 - 6)
    assert not len(model.texts.kept)
    again = scored(5)
    assert model.texts.encoded == 12
    for query, scores in again.items():
        assert dict(scores) == pytest.approx(found[query], abs=1e-5 if precision == "32-true" else 0.1)


def test_a_trial_repeats_rows_with_their_knowledge(encoder: Encoder) -> None:
    batch = batch_of(known_dataset(encoder), *SOME)
    larger = repeated(batch, 7 * batch.input_ids.shape[1])
    assert larger.knowledge.query.tolist() == [0, -1, 1, 0, -1, 1, 0]
    model = HIKE(encoder, TEXTS["cross"]).eval()
    assert trial(model, batch, [64, 256], CPU)["tokens"] in (64, 256)
