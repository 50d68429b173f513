"""Batches and training module are of the architecture's kind, or rejected before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.kinds import check_kinds, check_knowledge
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.lightning.text_module import TextModule
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.hike import HIKE
from clir_lightning.models.late import LateInteraction
from program import SHORT, clir

PAIRS = (PairBatches, PairModule)
TEXTS = (TextBatches, TextModule)


@pytest.mark.parametrize("architecture", [CrossEncoder, CEDR, DualEncoder, LateInteraction])
def test_one_kind_is_accepted_and_the_others_are_rejected(architecture: type[nn.Module]) -> None:
    right, wrong = (TEXTS, PAIRS) if hasattr(architecture, "encode") else (PAIRS, TEXTS)
    check_kinds(architecture, *right)
    kind = "texts" if right is TEXTS else "pairs"
    cure = f"; add batches={kind} module={kind}$"
    with pytest.raises(ConfigError, match=rf"^{architecture.__name__} .*, and batches is {wrong[0].__name__}{cure}"):
        check_kinds(architecture, wrong[0], right[1])
    with pytest.raises(ConfigError, match=rf"^{architecture.__name__} .*, and module is {wrong[1].__name__}{cure}"):
        check_kinds(architecture, right[0], wrong[1])


def test_what_comes_from_elsewhere_is_taken_at_its_word() -> None:
    class OwnBatches:
        """Neither kind."""

    check_kinds(CrossEncoder, OwnBatches, PairModule)
    check_kinds(lambda encoder: DualEncoder(encoder), PairBatches, PairModule)  # it shows only when it is made


def test_a_class_that_is_not_an_architecture_is_rejected_with_what_it_lacks() -> None:
    with pytest.raises(ConfigError, match=r"^Linear lacks check_lengths, outputs; a PairModel must have them"):
        check_kinds(nn.Linear, *PAIRS)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("architecture=dual", "batches=pairs"), "DualEncoder encodes texts apart, and batches is PairBatches"),
        (("architecture=cross", "module=texts"), "CrossEncoder scores pairs, and module is TextModule"),
    ],
)
def test_the_command_is_rejected_before_the_data_is_read(settings: tuple[str, ...], told: str, tmp_path: Path) -> None:
    absent = ("data=clirmatrix", "data.path=nowhere")
    done = clir("train", *SHORT, *absent, *settings, cwd=tmp_path, check=False)
    assert f"clir train: {told}; add batches=" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_reads_a_graph_is_given_one() -> None:
    given = {"knowledge": {"_target_": "clir_lightning.knowledge.GraphKnowledge"}}
    check_knowledge(HIKE, PairBatches, given)
    check_knowledge(CrossEncoder, PairBatches, {"knowledge": None})
    for nothing in ({}, {"knowledge": None}, {"knowledge": {"documents": "none"}}):
        with pytest.raises(ConfigError, match=r"HIKE reads a knowledge graph, and batches.knowledge is none; add know"):
            check_knowledge(HIKE, PairBatches, nothing)
    with pytest.raises(ConfigError, match="batches is TextBatches; only pairs have knowledge"):
        check_knowledge(DualEncoder, TextBatches, given)
