"""Knowledge texts are encoded once: per step in training, per pass in scoring, and never with weights of before."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.knowledge import KeptVectors, KnowledgeRanker, KnowledgeTexts
from clir_lightning.models.loading import EncoderSettings
from models.knowledge_for_tests import ALL, SOME, TEXTS, batch_of, dataset, knowledge_of, known


@pytest.fixture
def counted(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the encoder had."""
    calls: list[int] = []
    forward = encoder.forward

    def counting(rows: Any) -> Tensor:
        calls.append(len(rows.input_ids))
        return forward(rows)

    monkeypatch.setattr(encoder, "forward", counting)
    return calls


def vectors(texts: KnowledgeTexts, knowledge: KnowledgeBatch) -> Tensor:
    with torch.no_grad():
        return texts.vectors(knowledge)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("attention", ["auto", "sdpa"])
def test_a_vector_is_that_of_the_text_alone(encoder_folder: Any, attention: str, pooling: str) -> None:
    """Padded and unpadded, kept and fresh, in any batch."""
    encoder = Encoder(str(encoder_folder), EncoderSettings(attention=attention)).eval()
    knowledge = knowledge_of(batch_of(dataset(encoder), *ALL))
    texts = KnowledgeTexts(encoder, pooling)
    fresh = vectors(texts, knowledge)
    assert torch.equal(vectors(texts, knowledge), fresh)
    assert (texts.encoded, texts.reused) == (len(knowledge.texts), len(knowledge.texts))

    # By hand: each text through transformers' model by itself.
    plain = Encoder(str(encoder_folder), EncoderSettings(attention="eager")).eval()
    for place, length in enumerate(knowledge.texts.lengths):
        ids = knowledge.texts.input_ids[place : place + 1, :length]
        with torch.no_grad():
            states = plain.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        expected = states.mean(dim=0) if pooling == "mean" else states[0]
        assert torch.allclose(fresh[place], expected, atol=1e-5)


def test_a_pass_encodes_each_text_once(encoder: Encoder, counted: list[int]) -> None:
    """Two batches share the texts around one entity; a third has nothing new."""
    made = dataset(encoder.eval())
    texts = KnowledgeTexts(encoder)
    first = knowledge_of(batch_of(made, ("lang", "few")))
    second = knowledge_of(batch_of(made, *ALL))
    assert len(first.texts) == 5
    assert len(second.texts) == 6
    found = [vectors(texts, each) for each in (first, second, first)]
    assert sum(counted) == 6
    assert (texts.encoded, texts.reused) == (6, 5 + 5)

    # What is kept equals what is computed afresh.
    fresh = KnowledgeTexts(encoder)
    assert torch.allclose(found[1], vectors(fresh, second), atol=1e-6)
    assert torch.allclose(found[2], vectors(KnowledgeTexts(encoder), first), atol=1e-6)


def test_a_step_encodes_each_text_once_and_learns_from_it(encoder: Encoder, counted: list[int]) -> None:
    knowledge = knowledge_of(batch_of(dataset(encoder), *ALL))
    texts = KnowledgeTexts(encoder.train())
    with texts.shared():
        assert texts.vectors(knowledge) is texts.vectors(knowledge)
    assert counted == [6]

    # Another step, and one of another batch, have their own.
    for _ in range(2):
        torch.autograd.backward(texts.vectors(knowledge).sum())
    assert counted == [6, 6, 6]
    assert not len(texts.kept)


@pytest.mark.parametrize("change", ["train", "weights", "loaded", "precision", "forget"])
def test_nothing_is_kept_over_a_change(encoder: Encoder, change: str) -> None:
    knowledge = knowledge_of(batch_of(dataset(encoder), *ALL))
    model = KnowledgeRanker(encoder, TEXTS["cross"]).eval()
    before = vectors(model.texts, knowledge)
    assert model.texts.encoded == 6
    embeddings = encoder.model.get_input_embeddings().weight
    if change == "train":
        model.train().eval()
    elif change == "weights":
        with torch.no_grad():
            embeddings.mul_(2.0)
    elif change == "loaded":
        other = {name: value * 2 for name, value in model.state_dict().items()}
        model.load_state_dict(other, assign=True)
        assert not len(model.texts.kept)
    elif change == "forget":
        model.forget()

    half = torch.autocast("cpu", torch.bfloat16, enabled=change == "precision")
    with half:
        after = vectors(model.texts, knowledge)
    assert model.texts.encoded == 12
    assert torch.equal(before, after) == (change in ("train", "forget"))


def test_a_batch_without_a_text_has_no_vector(encoder: Encoder) -> None:
    made = dataset(encoder.eval(), around={}, queries={}, documents={})
    texts = KnowledgeTexts(encoder)
    assert vectors(texts, knowledge_of(batch_of(made, *SOME))).shape == (0, 16)
    assert KnowledgeTexts(encoder.train()).vectors(knowledge_of(batch_of(made, *SOME))).shape == (0, 16)


def test_numbers_decide_what_is_the_same(encoder: Encoder) -> None:
    batch = batch_of(dataset(encoder.eval()), *ALL)
    texts = KnowledgeTexts(encoder)
    vectors(texts, knowledge_of(batch))
    other = knowledge_of(known(batch, numbers=knowledge_of(batch).numbers + 1))
    vectors(texts, other)
    assert texts.encoded == 12


def test_a_full_table_starts_anew_and_holds_no_more_than_its_limit() -> None:
    kept = KeptVectors(2, limit=4 * 2 * 5)  # five vectors
    kept.add([1, 2, 3], torch.arange(6.0).view(3, 2))
    assert kept.take([3, 1]).tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert kept.missing([3, 7, 1]) == [1]
    kept.make_room(2)
    kept.add([4, 5], torch.ones(2, 2))
    assert len(kept) == 5
    assert kept.take([2, 5]).tolist() == [[2.0, 3.0], [1.0, 1.0]]
    kept.make_room(1)
    assert len(kept) == 0
    kept.add([9] * 6, torch.ones(6, 2))
    assert len(kept) == 0


@pytest.mark.parametrize("room", [2, 6, 8])
def test_too_little_room_costs_time_and_changes_nothing(encoder: Encoder, room: int) -> None:
    made = dataset(encoder.eval())
    batches = [knowledge_of(batch_of(made, *pairs)) for pairs in (ALL, [("french", "few")], SOME)]
    texts = KnowledgeTexts(encoder)
    texts.kept = KeptVectors(16, limit=room * 4 * 16)
    for each in batches:
        assert torch.allclose(vectors(texts, each), vectors(KnowledgeTexts(encoder), each), atol=1e-6)
        assert len(texts.kept) <= room


def test_a_copy_keeps_nothing(encoder: Encoder) -> None:
    model = KnowledgeRanker(encoder, TEXTS["cross"]).eval()
    knowledge = knowledge_of(batch_of(dataset(encoder), *ALL))
    vectors(model.texts, knowledge)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not len(other.texts.kept)
        assert other.texts.encoder is other.encoder is not encoder
        assert torch.equal(vectors(other.texts, knowledge), vectors(model.texts, knowledge))
