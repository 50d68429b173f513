"""What MaxSim and CEDR's matrices matched, against products worked out by hand and the models' own scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.browse.matches import Matches, Matrices, look, matched, spelt, widest
from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.vanilla import Vanilla
from clir_lightning.models.late import LateInteraction
from clir_lightning.types import Document, Query

QUERY = Query("q", "法语 语言", "zh")
DOCUMENT = Document("d", "Алматы — Қазақстандағы қала", "kk")


def test_each_query_token_has_its_best_document_token() -> None:
    """Cosines of (1, 0): 0.6 and 0.8; of (0, 1): 0.8 and 0.6; of (0.6, 0.8): 1.0 and 0.96."""
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    document = torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    found = matched(query, document, ["p", "q", "r"], ["x", "y"])
    assert [(pair.query, pair.document, pair.place) for pair in found.pairs] == [
        ("p", "y", 1),
        ("q", "x", 0),
        ("r", "x", 0),
    ]
    assert [pair.cosine for pair in found.pairs] == pytest.approx([0.8, 0.8, 1.0])
    assert found.score == pytest.approx(2.6)


def test_a_late_model_matches_what_its_score_is_made_of(encoder: Encoder, make_ranker: Any) -> None:
    model = LateInteraction(encoder, dimension=8)
    batches = TextBatches(max_length=32, query_length=8)
    found = look(make_ranker(model, encoder, batches), QUERY, DOCUMENT)
    assert isinstance(found, Matches)

    # By the tokenizer and the model itself.
    with torch.inference_mode():
        encoded = []
        for text, length in ((QUERY.text, 8), (DOCUMENT.text, 32)):
            tokens = encoder.tokenizer([text], return_tensors="pt", truncation=True, max_length=length)
            states = encoder.model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            vectors = model.projection(states.last_hidden_state[0])
            encoded.append(vectors / vectors.norm(dim=1, keepdim=True))
        cosines = encoded[0] @ encoded[1].T
    assert [pair.cosine for pair in found.pairs] == pytest.approx(cosines.amax(dim=1).tolist(), abs=1e-5)
    assert [pair.place for pair in found.pairs] == cosines.argmax(dim=1).tolist()
    assert found.score == pytest.approx(model.similarity(encoded[0][None], encoded[1][None]).item(), abs=1e-4)


def test_matrices_are_the_cosines_of_each_level(encoder: Encoder, make_ranker: Any) -> None:
    model = CEDR(encoder, KNRM, query_length=8, levels=[0, 2])
    batches = PairBatches(max_length=64, query_length=8, document_length=40)
    found = look(make_ranker(model, encoder, batches), QUERY, DOCUMENT)
    assert isinstance(found, Matrices)
    assert found.levels == (0, 2)
    ids = encoder.tokenizer(DOCUMENT.text, add_special_tokens=False)["input_ids"]
    assert len(found.document) == len(ids)
    assert found.cosines.shape == (2, len(found.query), len(ids))
    assert np.abs(found.cosines).max() <= 1 + 1e-5

    # The last level by hand: one row of the encoder, whose query and document tokens lie where their ids do.
    tokens = encoder.tokenizer(QUERY.text, DOCUMENT.text, return_tensors="pt")
    names = {name: tokens[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in tokens}
    with torch.inference_mode():
        states = encoder.model(**names).last_hidden_state[0]
    states = states / states.norm(dim=1, keepdim=True)
    sides = tokens.sequence_ids(0)
    query = states[[place for place, side in enumerate(sides) if side == 0]]
    document = states[[place for place, side in enumerate(sides) if side == 1]]
    assert len(query) == len(found.query) <= 8
    np.testing.assert_allclose(found.cosines[1], (query @ document.T).numpy(), atol=1e-5)


def test_models_without_anything_to_see_say_so(encoder: Encoder, make_ranker: Any) -> None:
    pairs = PairBatches(max_length=64, query_length=4, document_length=40)
    cross = look(make_ranker(CrossEncoder(encoder), encoder, pairs), QUERY, DOCUMENT)
    dual = look(make_ranker(DualEncoder(encoder), encoder, TextBatches(max_length=32)), QUERY, DOCUMENT)
    vanilla = CEDR(encoder, Vanilla, query_length=4)
    bare = look(make_ranker(vanilla, encoder, pairs), QUERY, DOCUMENT)
    assert "CrossEncoder reads both texts as one" in str(cross)
    assert "One vector per text" in str(dual)
    assert "Vanilla reads no similarity matrices" in str(bare)


def test_the_widest_columns_stay_in_the_texts_order() -> None:
    cosines = np.array([[[0.1, 0.9, 0.2, 0.5], [0.8, 0.0, 0.1, 0.5]]], np.float32)
    places, table = widest(Matrices((0,), ("a", "b"), ("w", "x", "y", "z"), cosines), 0, most=3)
    assert places == [0, 1, 3]
    np.testing.assert_allclose(table, [[0.1, 0.9, 0.5], [0.8, 0.0, 0.5]])


def test_tokens_are_spelt_as_text(encoder: Encoder) -> None:
    ids = encoder.tokenizer("қала", add_special_tokens=False)["input_ids"]
    assert "".join(token.removeprefix("##").removeprefix("▁") for token in spelt(encoder.tokenizer, ids)) == "қала"
    assert spelt(encoder.tokenizer, [encoder.tokenizer.cls_token_id]) == (encoder.tokenizer.cls_token,)
