"""HIKE: knowledge of both languages reaches the score, of nothing else; unlinked queries have the text score."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import start_processes
from torch.nn.functional import layer_norm
from torch.nn.parallel import DistributedDataParallel

import program  # noqa: F401  its server has torch and the like imported: processes start within a second
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.losses.listwise import softmax_cross_entropy
from clir_lightning.models.contracts import PairModel
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.hike import HIKE, Neighbourhood
from clir_lightning.models.loading import EncoderSettings
from data.knowledge_for_tests import AROUND, Member
from models.knowledge_for_tests import (
    ALL,
    NONE,
    SOME,
    TEXTS,
    batch_of,
    dataset,
    knowledge_of,
    known,
    scores_of,
)
from program import HANG

BATCHES = {"none": NONE, "some": SOME, "all": ALL}


def hike(encoder: Encoder, text: str = "cross", **settings: Any) -> HIKE:
    """With a weight that is not the 0 it starts at."""
    torch.manual_seed(2)
    model = HIKE(encoder, TEXTS[text], **settings)
    model.weight.data = torch.randn(len(model.weight))
    return model.eval()


def around(language: int, text: str | None, entity: int = 0, place: int = 0) -> dict[int, list[Member]]:
    """The graph with one text changed: of the languages, 0 is that of the queries."""
    changed = {key: list(members) for key, members in AROUND.items()}
    number, relation, *texts = changed[entity][place]
    texts[language] = text
    changed[entity][place] = (number, relation, texts[0], texts[1])
    return changed


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("linked", BATCHES)
def test_a_pair_has_the_score_that_it_has_alone(encoder: Encoder, linked: str, text: str) -> None:
    made = dataset(encoder)
    model = hike(encoder, text)
    pairs = BATCHES[linked]
    together = scores_of(model, batch_of(made, *pairs))
    model.forget()
    alone = torch.cat([scores_of(hike(encoder, text), batch_of(made, pair)) for pair in pairs])
    assert together.shape == (len(pairs), 1)
    assert torch.allclose(together, alone, atol=1e-5, rtol=1e-5)
    assert len(set(together.flatten().tolist())) == len(pairs)


@pytest.mark.parametrize("text", TEXTS)
def test_unlinked_queries_have_the_text_score_to_the_bit(encoder: Encoder, text: str) -> None:
    model = hike(encoder, text)
    batch = batch_of(dataset(encoder), *SOME)
    found = scores_of(model, batch)
    plain = scores_of(model.text, batch)
    assert torch.equal(found[1], plain[1])
    assert not torch.isclose(found[[0, 2]], plain[[0, 2]], atol=1e-3).any()

    # So it starts for all of them.
    fresh = HIKE(encoder, lambda _: model.text).eval()
    assert torch.equal(scores_of(fresh, batch), plain)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("language", [0, 1])
def test_a_text_of_either_language_alone_changes_the_score(
    encoder: Encoder, language: int, place: int, text: str
) -> None:
    """Of the entity itself and of a neighbour; only of pairs whose query has it."""
    model = hike(encoder, text)
    before = scores_of(model, batch_of(dataset(encoder), *SOME))
    model.forget()
    other = around(language, ("另一个城市", "басқа қала")[language], place=place)
    after = scores_of(model, batch_of(dataset(encoder, other), *SOME))
    assert abs(float(after[0] - before[0])) > 1e-4
    assert torch.allclose(after[1:], before[1:], atol=1e-6)


def test_the_two_languages_are_not_taken_for_each_other(encoder: Encoder) -> None:
    model = hike(encoder)
    turned = {key: [(one, kind, kk, zh) for one, kind, zh, kk in members] for key, members in AROUND.items()}
    before = scores_of(model, batch_of(dataset(encoder), *ALL))
    after = scores_of(model, batch_of(dataset(encoder, turned), *ALL))
    assert ((after - before).abs() > 1e-3).all()


def test_documents_entities_do_not_count(encoder: Encoder) -> None:
    model = hike(encoder)
    before = scores_of(model, batch_of(dataset(encoder, documents={}), *SOME))
    after = scores_of(model, batch_of(dataset(encoder, documents={"one": 4, "few": 1}), *SOME))
    assert torch.allclose(before, after, atol=1e-6)


def test_missing_members_and_texts_are_nothing(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members and places that are not there change nothing, and a number that is none comes from nowhere."""
    model = hike(encoder)
    batch = batch_of(dataset(encoder), *SOME)
    knowledge = knowledge_of(batch)
    before = scores_of(model, batch)
    wider = torch.nn.functional.pad(knowledge.members, (0, 0, 0, 3), value=-1)
    assert torch.allclose(scores_of(model, known(batch, members=wider)), before, atol=1e-6)

    # One more text, which nobody has, first: its vector is not a number. All others move by one place.
    vectors = model.texts.vectors
    monkeypatch.setattr(
        model.texts, "vectors", lambda given: torch.cat([torch.full((1, 16), math.nan), vectors(given)])
    )
    moved = torch.where(wider < 0, -1, wider + 1)
    assert torch.allclose(scores_of(model, known(batch, members=moved)), before, atol=1e-6)


def test_the_knowledge_level_is_multi_head_attention(encoder: Encoder) -> None:
    """Against PyTorch's own over the texts that are there, and by hand the layer over it."""
    torch.manual_seed(3)
    level = Neighbourhood(8, heads=2, dropout=0.0)
    texts = torch.randn(3, 4, 8)
    there = torch.tensor([[True, True, True, False], [True, False, False, False], [False, True, True, False]])
    texts = texts * there[:, :, None]
    found = level(texts, there)

    own = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    own.in_proj_weight.data = torch.cat([level.asking.weight, level.asked.weight])
    own.in_proj_bias.data = torch.cat([level.asking.bias, level.asked.bias])
    own.out_proj.load_state_dict(level.out.state_dict())
    for row, mask, vector in zip(texts, there, found, strict=True):
        expected, _ = own(row[None, :1], row[None, mask], row[None, mask])
        assert torch.allclose(vector, layer_norm(row[0] + expected[0, 0], [8]), atol=1e-6)
    assert torch.equal(level(texts[:1], torch.zeros(1, 4, dtype=torch.bool)), torch.zeros(1, 8))


def test_the_score_by_hand(encoder: Encoder) -> None:
    """NumPy's from the same vectors of texts and pairs; French has a text in one language and no neighbour."""
    model = hike(encoder)
    batch = batch_of(dataset(encoder), ("french", "one"))
    with torch.no_grad():
        vectors, text = model.text.read(batch)
        entity = model.texts.vectors(knowledge_of(batch))[int(knowledge_of(batch).members[0, 0, 0])]
        chinese = model.knowledge[0](entity[None, None], torch.ones(1, 1, dtype=torch.bool))[0]
    weights = {name: value.double().numpy() for name, value in model.state_dict().items() if "text." not in name}

    # The other language has no text: zeros.
    both = np.concatenate([chinese.double().numpy(), np.zeros(16)])
    fused = np.tanh(weights["fusion.1.weight"] @ both + weights["fusion.1.bias"])
    v = vectors[0].double().numpy()
    product = (weights["projection.weight"] @ v + weights["projection.bias"]) * fused
    joined = np.tanh(weights["joined.1.weight"] @ np.concatenate([v, fused, product]) + weights["joined.1.bias"])
    expected = float(text[0]) + float(joined @ weights["weight"])
    assert float(scores_of(model, batch)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("linked", BATCHES)
def test_every_weight_gets_a_gradient(encoder: Encoder, linked: str, text: str) -> None:
    """So that several processes need not be of the same kind of batch."""
    model = hike(encoder, text).train()
    model(batch_of(dataset(encoder), *BATCHES[linked])).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    assert model.weight.grad is not None
    assert bool(model.weight.grad.any()) == (linked != "none")


def test_the_encoder_learns_from_the_knowledge(encoder: Encoder) -> None:
    """The gradients of a batch whose pairs' own are taken away."""
    model = hike(encoder)
    batch = batch_of(dataset(encoder), *ALL)
    vectors, scores = model.text.read(batch)
    model.text.read = lambda _: (vectors.detach(), scores.detach())
    model(batch).sum().backward()
    embeddings: Any = encoder.model.get_input_embeddings().weight.grad
    moved = embeddings.abs().sum(dim=1).nonzero().flatten()
    in_texts = knowledge_of(batch).texts.input_ids.flatten()
    assert set(moved.tolist()) == set(in_texts.tolist()) - {encoder.pad_id}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_parts_have_the_gradients_of_the_whole_and_encode_texts_once(encoder_folder: Path, checkpointing: bool) -> None:
    encoder = Encoder(str(encoder_folder), EncoderSettings(gradient_checkpointing=checkpointing, dropout=0.0))
    batch = batch_of(dataset(encoder), ("lang", "one", "few"), ("plain", "few", "some"), ("french", "some", "one"))
    model = hike(encoder, dropout=0.0)
    encoder.train()  # it computes again in training alone
    found = []
    for parts in (1, 3):
        module = PairModule(model, {}, parts=parts)
        module.zero_grad()
        encoded = model.texts.encoded
        scores = module(batch)
        assert model.texts.encoded == encoded + 6
        torch.autograd.backward(loss_of(scores))
        gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
        found.append([scores.detach(), *gradients])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def loss_of(scores: Tensor) -> Tensor:
    """The first document is the relevant one."""
    return softmax_cross_entropy(scores, torch.tensor([[1.0, 0.0]] * len(scores))).mean()


def test_half_precision_gives_scores_that_are_numbers(encoder: Encoder) -> None:
    model = hike(encoder).train()
    batch = batch_of(dataset(encoder), *SOME)
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(batch)
    assert scores.dtype == torch.float32
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)


def test_a_model_learns_what_only_its_knowledge_tells(encoder: Encoder) -> None:
    """Two queries of equal text, of which one is linked, want opposite orders of the same documents."""
    made = dataset(encoder)
    encoder.freeze(encoder.depth)
    batch = batch_of(made, ("lang", "one", "few"), ("twin", "few", "one"))
    losses = {}
    for name in ("hike", "cross"):
        torch.manual_seed(1)
        model: Any = HIKE(encoder, TEXTS["cross"], dropout=0.0) if name == "hike" else TEXTS["cross"](encoder)
        model.eval()
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(60):
            loss = loss_of(model(batch))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        losses[name] = loss.item()
    assert losses["hike"] < 0.2
    assert losses["cross"] >= math.log(2) - 1e-4


def _of_rank(rank: int, encoder_folder: str, folder: str) -> None:
    """A process of two: the first has linked queries, the second none."""
    where = f"file://{folder}/meet"
    torch.distributed.init_process_group(
        "gloo", init_method=where, rank=rank, world_size=2, timeout=timedelta(seconds=HANG)
    )
    encoder = Encoder(encoder_folder, EncoderSettings(dropout=0.0))
    model = hike(encoder, dropout=0.0).train()
    made = dataset(encoder)
    shared = DistributedDataParallel(model)
    for _ in range(2):  # a weight without a gradient is seen at the second step
        model.zero_grad()
        torch.autograd.backward(shared(batch_of(made, *(ALL, NONE)[rank])).sum())
    torch.save([weight.grad for weight in model.parameters()], f"{folder}/{rank}.pt")

    # Were it the last to hold the group, it could wait, with Python's lock, for a thread of Gloo's that needs it.
    del shared
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_need_not_all_have_linked_queries(encoder_folder: Path, tmp_path: Path) -> None:
    """Their gradients are the mean of both, as of one process with both batches."""
    start_processes(_of_rank, (str(encoder_folder), str(tmp_path)), nprocs=2, start_method="forkserver")  # type: ignore[no-untyped-call]
    encoder = Encoder(str(encoder_folder), EncoderSettings(dropout=0.0))
    model = hike(encoder, dropout=0.0).train()
    torch.autograd.backward(model(batch_of(dataset(encoder), *ALL, *NONE)).sum() / 2)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt")
        for gradient, weight in zip(found, model.parameters(), strict=True):
            assert weight.grad is not None
            assert torch.allclose(gradient, weight.grad, atol=1e-5, rtol=1e-4)


def test_it_has_as_many_weights_as_its_page_says(encoder: Encoder) -> None:
    own = [weight for name, weight in HIKE(encoder, TEXTS["cross"]).named_parameters() if not name.startswith("text.")]
    assert sum(weight.numel() for weight in own) == 14 * 16**2 + 16 * 16


def test_what_it_does_not_take(encoder: Encoder) -> None:
    with pytest.raises(ConfigError, match=r"architecture.heads is 3; allowed: a divisor of the encoder's width, 16"):
        HIKE(encoder, TEXTS["cross"], heads=3)
    with pytest.raises(ConfigError, match=r"architecture.text is Linear, which tells no pair's vector"):
        HIKE(encoder, lambda encoder: torch.nn.Linear(1, 1))  # type: ignore[arg-type, return-value]
    batch = batch_of(dataset(encoder), *ALL)
    with pytest.raises(ConfigError, match=r"in 2 languages, the model's in 3"):
        hike(encoder, languages=3)(batch)
    with pytest.raises(ConfigError, match="HIKE reads a knowledge graph, and the batch has none"):
        hike(encoder)(replace(batch, knowledge=None))
    assert isinstance(hike(encoder), PairModel)
