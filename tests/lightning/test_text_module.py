"""`TextModule`: steps worked out by hand, masks, cached gradients, candidates' scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, triplet_margin_loss

from clir_lightning.data.batches.pairs import Step
from clir_lightning.data.batches.texts import Encode, Rank, TextBatch, TextDataset
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.texts import Texts
from clir_lightning.lightning.text_module import TextModule, stacked
from clir_lightning.losses.contrastive import CoSENT, InfoNCE, Triplet, cosent
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.pairwise import MarginHinge
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample
from data.batches.test_texts import dataset
from lightning.shares_for_tests import keep_logs
from models.fakes import TextTable

SAMPLES = [Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))]
SCALE = TextTable.SCALE


def rows(*numbers: int) -> Texts:
    ids = torch.tensor(numbers)[:, None]
    return Texts(ids, torch.ones_like(ids), None)


def batch(weights: tuple[float, ...] = ()) -> TextBatch:
    """Queries 1, 2 and 3 with documents 11 to 16, of which 13 is relevant to query 1 too."""
    relevant = torch.tensor([[11, 13], [13, -1], [15, -1]])
    grades = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    samples = tuple(Sample(f"q{i}", ("a", "b"), (2, 0)) for i in range(3))
    numbers = (11, 12, 13, 14, 15, 16)
    return TextBatch(rows(1, 2, 3), rows(*numbers), torch.tensor(numbers), grades, relevant, samples, weights)


def vectors(model: TextTable, size: int | None = None) -> tuple[Tensor, Tensor]:
    """The batch's queries `[3, P]` and documents `[6, P]`."""
    table = normalize(normalize(model.vectors, dim=-1)[:, :size], dim=-1)
    return table[1:4], table[11:17]


def infonce(queries: Tensor, documents: Tensor) -> Tensor:
    """Of each query, `[3]`; column 2 is not a negative of the first."""
    logits = SCALE * queries @ documents.T
    first = cross_entropy(logits[:1, [0, 1, 3, 4, 5]], torch.tensor([0]))
    others = cross_entropy(logits[1:], torch.tensor([2, 4]), reduction="none")
    return torch.cat([first[None], others])


def step(losses: dict[str, RankingLoss], model: TextTable, of: TextBatch) -> tuple[Tensor, dict[str, float]]:
    """What is minimised, and what is logged."""
    module = TextModule(model, losses)
    kept = keep_logs(module)
    value = module.training_step(of, 0)
    assert {count for _, _, count in kept} == {3}
    return value, {name: logged for name, logged, _ in kept}


def same_gradients(one: Tensor, other: Tensor, model: TextTable) -> bool:
    """Whether two values have the same gradients of the table, and some."""
    (mine,), (theirs,) = (torch.autograd.grad(value, [model.vectors], retain_graph=True) for value in (one, other))
    return float(mine.abs().max()) > 1e-3 and torch.allclose(mine, theirs, atol=1e-5)


def test_a_step_is_the_mean_over_queries_sizes_and_weights() -> None:
    model = TextTable(sizes=(2,))
    each = (infonce(*vectors(model)) + infonce(*vectors(model, 2))) / 2
    value, logged = step({"infonce": InfoNCE(weight=0.5)}, model, batch())
    assert value.item() == pytest.approx(0.5 * each.mean().item(), rel=1e-5)
    value, logged = step({"infonce": InfoNCE(weight=0.5)}, model, batch((0.5, 2.0, 1.0)))
    weighted = 0.5 * (each * torch.tensor([0.5, 2.0, 1.0])).sum() / 3
    assert value.item() == pytest.approx(weighted.item(), rel=1e-5)
    assert same_gradients(value, weighted, model)
    assert logged == {
        "train/loss": pytest.approx(0.5 * each.mean().item(), rel=1e-5),
        "train/temperature": pytest.approx(1 / SCALE),
    }


def test_losses_add_and_are_logged_under_their_names() -> None:
    """Losses of scores see them over the temperature, a loss of the whole step has the queries' mean weight."""
    model = TextTable()
    queries, documents = vectors(model)
    of_triplets = triplet_margin_loss(queries, documents[::2], documents[1::2], margin=1.5, eps=0.0, reduction="none")
    gaps = SCALE * ((queries * documents[::2]).sum(dim=1) - (queries * documents[1::2]).sum(dim=1))
    of_scores = torch.relu(4 - gaps)
    own = torch.stack([(queries * documents[i::2]).sum(dim=1) for i in (0, 1)], dim=1)
    of_step = cosent(own, torch.tensor([[2.0, 0.0]]).expand(3, 2), SCALE) / 4
    weights = torch.tensor([0.5, 2.0, 1.5])

    losses = {"triplet": Triplet(margin=1.5), "margin_hinge": MarginHinge(margin=4.0), "cosent": CoSENT(weight=0.25)}
    value, logged = step(losses, model, batch(tuple(weights.tolist())))
    means = {"triplet": float(of_triplets.mean()), "margin_hinge": float(of_scores.mean()), "cosent": of_step.item()}
    assert min(float(of_triplets.max()), float(of_scores.max())) > 0.1
    assert {name: logged[f"train/{name}"] for name in means} == pytest.approx(means, rel=1e-4)
    assert logged["train/loss"] == pytest.approx(sum(means.values()), rel=1e-4)
    expected = ((of_triplets + of_scores) * weights).mean() + of_step * weights.mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert same_gradients(value, expected, model)
    for name, alone in {"triplet": of_triplets, "margin_hinge": of_scores}.items():
        one, _ = step({name: losses[name]}, model, batch(tuple(weights.tolist())))
        assert same_gradients(one, (alone * weights).mean(), model)


def test_the_scores_of_a_step_are_kept_for_callbacks() -> None:
    model = TextTable(sizes=(2,))
    module = TextModule(model, {"infonce": InfoNCE()})
    keep_logs(module)
    module.training_step(batch(), 0)
    queries, documents = vectors(model)
    assert module.step_scores is not None
    assert not module.step_scores.requires_grad
    assert torch.allclose(module.step_scores[:, 1], (queries * documents[1::2]).sum(dim=1), atol=1e-6)


def test_a_process_without_a_query_of_its_own_adds_nothing() -> None:
    """Its stand-in has weight 0: no loss, gradients of 0, no part in what is logged."""
    whole = batch()
    stand_in = replace(
        whole,
        queries=rows(1),
        documents=rows(11, 12),
        rows=whole.rows[:2],
        grades=whole.grades[:1],
        relevant=whole.relevant[:1],
        samples=whole.samples[:1],
        weights=(0.0,),
    )
    model = TextTable()
    module = TextModule(model, {"margin_hinge": MarginHinge()})
    contrast = module.contrasts(stand_in)[0]
    assert [len(part) for part in (contrast.queries, contrast.documents, contrast.similarities)] == [0, 0, 0]
    value = module._minimised({"margin_hinge": MarginHinge().of_vectors(contrast, stand_in)}, stand_in)
    torch.autograd.backward(value)
    assert value.item() == 0
    assert model.vectors.grad is not None
    assert float(model.vectors.grad.abs().max()) == 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("query", 3), ("document", 6)]),
        ({"parts": 2}, [("query", 2), ("query", 1), ("document", 3), ("document", 3)]),
        ({"chunk": 4}, [("query", 3), ("document", 4), ("document", 2)]),
        ({"chunk": 2, "parts": 9}, [("query", 2), ("query", 1), ("document", 2), ("document", 2), ("document", 2)]),
    ],
)
def test_texts_are_encoded_in_so_many_parts(settings: dict[str, Any], expected: list[tuple[str, int]]) -> None:
    model = TextTable()
    TextModule(model, {}, **settings).contrasts(batch())
    assert model.encoded == expected
    model.encoded.clear()
    with torch.no_grad():
        TextModule(model, {}, **settings).encode(rows(1, 2, 3), "query")
    assert model.encoded == [("query", 3)]


def test_parts_of_unlike_length_are_joined_with_zeros_behind() -> None:
    joined = stacked([torch.ones(1, 3, 2), 2 * torch.ones(2, 1, 2)])
    assert joined.shape == (3, 3, 2)
    assert joined[:, :, 0].tolist() == [[1, 1, 1], [2, 0, 0], [2, 0, 0]]
    assert stacked([torch.ones(1, 2), torch.zeros(2, 2)]).tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.fixture
def encoder(collection: Collection, tmp_path: Path) -> Encoder:
    maker = TinyEncoder(vocabulary=120, width=16, heads=2, layers=2, dropout=0.1)
    torch.manual_seed(0)
    return Encoder(maker.prepare(collection, "train", tmp_path / "e", seed=3))


def texts(collection: Collection, encoder: Encoder) -> TextDataset:
    return dataset(collection, encoder.tokenizer)


def test_relevant_documents_of_other_queries_are_not_negatives(collection: Collection, encoder: Encoder) -> None:
    """a is q1's positive and has grade 3 for q2, so q2 must not push it away, nor b's second copy."""
    module = TextModule(DualEncoder(encoder, dimensions=[8]), {"infonce": InfoNCE()})
    whole, short = module.contrasts(texts(collection, encoder)[Step(SAMPLES)])
    # columns: a b | b d
    assert whole.allowed.tolist() == [[True, True, True, True], [False, False, True, True]]
    assert whole.positives.tolist() == [0, 2]
    assert short.queries.shape == (2, 8)
    assert torch.allclose(short.queries.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("late", [False, True])
def test_cached_gradients_are_equal(collection: Collection, encoder: Encoder, late: bool) -> None:
    encoder.model.eval()  # no dropout: a chunk draws other masks than a whole batch
    samples = [Sample("q1", ("d", "b"), (6, 0)), Sample("q2", ("a", "d"), (6, 0))]
    batch = texts(collection, encoder)[Step(samples)]
    lengths = batch.documents.attention_mask.sum(dim=1).tolist()
    assert lengths != sorted(lengths, reverse=True)  # parts are of another order than the batch
    model = LateInteraction(encoder, dimension=8) if late else DualEncoder(encoder, learn_temperature=True)
    found = []
    for chunk, parts in ((None, 1), (1, 1), (None, 2), (3, 1)):
        module = TextModule(model, {"infonce": InfoNCE(symmetric=True)}, chunk=chunk, parts=parts)
        module.zero_grad()
        contrast = module.contrasts(batch)[0]
        loss: torch.Tensor = module.losses["infonce"](contrast).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert max(float(gradient.abs().max()) for gradient in found[0].values()) > 1e-3
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for name, gradient in found[0].items():
            assert torch.allclose(gradient, other[name], atol=1e-5), name


@pytest.mark.parametrize("late", [False, True])
def test_candidates_score_as_they_do_alone(collection: Collection, encoder: Encoder, late: bool) -> None:
    """Two queries whose candidates lie in unlike order; a vector is kept for each text, to its end."""
    model = LateInteraction(encoder, dimension=8) if late else DualEncoder(encoder)
    module = TextModule(model, {}).eval()
    made = texts(collection, encoder)
    lists = [("d", "a"), ("b", "d")]
    with torch.no_grad():
        places = made.documents.table.index.rows(["a", "b", "d"])
        assert module.engine.step(made[Encode(places)]).numel() == 0
        ranked = [Sample(query, listed, (0, 0)) for query, listed in zip(("q1", "q2"), lists, strict=True)]
        scores = module.engine.step(made[Rank(ranked)])
        for i, query in enumerate(("q1", "q2")):
            alone = model.encode(made[Rank([Sample(query, (), ())])].queries, "query")
            for j, document in enumerate(lists[i]):
                text = made[Encode(made.documents.table.index.rows([document]))].documents
                vectors = model.encode(text, "document")
                vectors = vectors.half().float() if late else vectors  # as those of tokens are kept
                assert scores[i, j] == pytest.approx(float(model.similarity(alone, vectors)))
                if late:
                    row = int(made.documents.table.index.rows([document])[0])
                    assert module.engine.documents[row].shape == (text.input_ids.shape[1], 8)
    assert sorted(module.engine.queries) == ["q1", "q2"]


@pytest.mark.parametrize("stage", ["validation", "test"])
@pytest.mark.parametrize("moment", ["epoch_start", "end"])
def test_vectors_of_a_pass_are_forgotten_before_and_after_it(stage: str, moment: str) -> None:
    module = TextModule(TextTable(), {})
    with torch.no_grad():
        getattr(module, f"{stage}_step")(replace(batch(), queries=rows(), samples=()), 0)
    assert len(module.engine.documents) == 6
    getattr(module, f"on_{stage}_{moment}")()
    assert module.engine.documents == {}
