"""What an architecture must offer: the project's own do, and one that lacks a member is told which."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from clir_lightning.errors import ConfigError
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.contracts import PairModel, TextModel, check_contract, missing, reads_texts
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.vanilla import Vanilla
from clir_lightning.models.late import LateInteraction
from models.fakes import TextTable

MEMBERS = ["check_lengths", "encode", "encoder", "outputs", "scale", "similarity", "views", "width"]


def test_the_projects_architectures_keep_their_contracts(encoder: Encoder) -> None:
    for pairs in (CrossEncoder(encoder), CEDR(encoder, Vanilla)):
        assert isinstance(pairs, PairModel)
        assert not isinstance(pairs, TextModel)
        assert not reads_texts(pairs)
        check_contract(pairs)
    for texts in (DualEncoder(encoder), LateInteraction(encoder), TextTable()):
        assert isinstance(texts, TextModel)
        assert reads_texts(texts)


def test_what_is_missing_is_named() -> None:
    assert missing(object(), TextModel) == MEMBERS
    assert missing(object(), PairModel) == ["check_lengths", "encoder", "forward", "outputs"]
    with pytest.raises(ConfigError, match="Linear lacks check_lengths, encoder, outputs; a PairModel must have them"):
        check_contract(nn.Linear(1, 1))


def test_a_model_that_encodes_must_keep_the_whole_contract() -> None:
    class Half(nn.Module):
        width = 3

        def encode(self, texts: Any, side: Any) -> None: ...

    lacking = ", ".join(name for name in MEMBERS if name not in ("encode", "width"))
    with pytest.raises(ConfigError, match=f"Half lacks {lacking}; a TextModel"):
        reads_texts(Half())
