"""Starting from a trained model: the encoders always, the same head too, settings and other shapes never."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.warm_start import load_weights
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.maxsim import MaxSim
from clir_lightning.models.heads.vanilla import Vanilla
from clir_lightning.models.hike import HIKE
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.model_folder import write_model_folder
from clir_lightning.models.pretrained import PretrainedEncoder
from clir_lightning.models.saved import Recipe
from clir_lightning.models.tiny import TinyEncoder
from models.families import write


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> str:
    return TinyEncoder(vocabulary=120, width=16, heads=2, layers=2).prepare(collection, "train", tmp_path / "e", seed=3)


@pytest.fixture
def vanilla(folder: str, tmp_path: Path) -> tuple[CEDR, Path]:
    """A changed vanilla model, and its checkpoint."""
    model = CEDR(Encoder(folder), Vanilla)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5)
    return model, save(model, tmp_path)


def save(model: nn.Module, folder: Path) -> Path:
    path = folder / "last.ckpt"
    torch.save({"state_dict": {f"model.{name}": value for name, value in model.state_dict().items()}}, path)
    return path


def changed(model: nn.Module, by: float) -> nn.Module:
    """The model with all of its state moved: what comes over from it can be told."""
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.add_(by)
    return model


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_encoder_is_taken_and_another_head_stays_new(vanilla: tuple[CEDR, Path], folder: str) -> None:
    model = CEDR(Encoder(folder), KNRM)
    before = model.head.state_dict()["mu"].clone()
    load_weights(model, vanilla[1])
    assert same(model.encoder, vanilla[0].encoder)
    assert torch.equal(model.head.state_dict()["mu"], before)


def test_the_same_head_is_taken_too(vanilla: tuple[CEDR, Path], folder: str) -> None:
    model = CEDR(Encoder(folder), Vanilla)
    load_weights(model, vanilla[1])
    assert same(model, vanilla[0])


def test_what_builds_on_a_text_architecture_starts_from_it(
    vanilla: tuple[CEDR, Path], folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of itself too; and where its head is another one, with the encoder alone."""
    hike = HIKE(Encoder(folder), partial(CEDR, head=Vanilla))
    with caplog.at_level("INFO"):
        load_weights(hike, vanilla[1])
    assert same(hike.text, vanilla[0])
    assert not hike.weight.any()
    assert "; 2 of the head taken; 23 of the head left at their start, which the text architecture lacks" in caplog.text

    hike = HIKE(Encoder(folder), partial(CEDR, head=KNRM))
    before = hike.text.head.state_dict()["mu"].clone()
    load_weights(hike, vanilla[1])
    assert same(hike.encoder, vanilla[0].encoder)
    assert torch.equal(hike.text.head.state_dict()["mu"], before)

    again = HIKE(Encoder(folder), partial(CEDR, head=KNRM))
    load_weights(again, save(changed(hike, 0.1), tmp_path))
    assert same(again, hike)

    # A text architecture takes from it what is its own.
    alone = CEDR(Encoder(folder), KNRM)
    load_weights(alone, save(hike, tmp_path))
    assert same(alone.encoder, hike.encoder)


def test_another_shape_is_rejected(vanilla: tuple[CEDR, Path], collection: Collection, tmp_path: Path) -> None:
    wider = TinyEncoder(vocabulary=120, width=32, heads=2, layers=2)
    model = CEDR(Encoder(wider.prepare(collection, "train", tmp_path / "w", seed=3)), Vanilla)
    with pytest.raises(ConfigError, match=r"encoder\.\S+ is \(\d+, 16\) there, \(\d+, 32\) here; start from"):
        load_weights(model, vanilla[1])


def test_more_layers_are_rejected(vanilla: tuple[CEDR, Path], collection: Collection, tmp_path: Path) -> None:
    deeper = TinyEncoder(vocabulary=120, width=16, heads=2, layers=3)
    model = CEDR(Encoder(deeper.prepare(collection, "train", tmp_path / "d", seed=3)), Vanilla)
    with pytest.raises(ConfigError, match=r"encoder.model.encoder.layer.2\S+ is missing there"):
        load_weights(model, vanilla[1])


def test_a_path_without_a_model_is_named(folder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere is missing; give an output folder of clir train, its folder model"):
        load_weights(CEDR(Encoder(folder), Vanilla), tmp_path / "nowhere")


def test_a_model_folder_and_the_output_folder_around_it_give_their_weights(
    vanilla: tuple[CEDR, Path], folder: str, tmp_path: Path
) -> None:
    recipe = Recipe.of({"seed": 1}, vanilla[0].encoder)
    write_model_folder(tmp_path / "out" / "model", recipe, vanilla[0].state_dict())
    for path in (tmp_path / "out", tmp_path / "out" / "model"):
        model = CEDR(Encoder(folder), Vanilla)
        load_weights(model, path)
        assert same(model, vanilla[0])


def test_temperature_and_means_stay_as_this_run_sets_them(folder: str, tmp_path: Path) -> None:
    """The other run had learnt a temperature and was centred."""
    other = changed(DualEncoder(Encoder(folder), temperature=0.02, learn_temperature=True), 0.5)
    model = DualEncoder(Encoder(folder), temperature=0.1, learn_temperature=True)
    load_weights(model, save(other, tmp_path))
    assert same(model.encoder, other.encoder)  # type: ignore[arg-type]
    assert model.scale().item() == pytest.approx(10.0)
    assert model.mean("query").abs().sum() == 0
    assert model.mean("document").abs().sum() == 0


def test_a_late_models_projection_comes_over_and_its_temperature_does_not(folder: str, tmp_path: Path) -> None:
    other = changed(LateInteraction(Encoder(folder), dimension=8, temperature=0.5), 0.5)
    model = LateInteraction(Encoder(folder), dimension=8, temperature=0.25)
    load_weights(model, save(other, tmp_path))
    assert same(model.encoder, other.encoder)  # type: ignore[arg-type]
    assert torch.equal(model.projection.weight, other.projection.weight)  # type: ignore[union-attr,arg-type]
    assert model.scale().item() == pytest.approx(4.0)


@pytest.mark.parametrize("kind", ["cross", "shared"])
def test_one_encoder_fills_both_towers(kind: str, folder: str, tmp_path: Path) -> None:
    encoder = Encoder(folder)
    other = changed(CrossEncoder(encoder) if kind == "cross" else DualEncoder(encoder), 0.5)
    model = DualEncoder(Encoder(folder), towers="separate")
    load_weights(model, save(other, tmp_path))
    assert model.document_encoder is not None
    assert same(model.encoder, encoder)
    assert same(model.document_encoder, encoder)


def test_each_tower_is_filled_from_its_own(folder: str, tmp_path: Path) -> None:
    other, model = (DualEncoder(Encoder(folder), towers="separate") for _ in range(2))
    assert other.document_encoder is not None
    assert model.document_encoder is not None
    changed(other.encoder, 0.5)
    changed(other.document_encoder, 0.75)
    load_weights(model, save(other, tmp_path))
    assert same(model.encoder, other.encoder)
    assert same(model.document_encoder, other.document_encoder)
    assert not same(model.encoder, model.document_encoder)


def test_the_query_tower_fills_a_single_encoder(folder: str, tmp_path: Path) -> None:
    other = DualEncoder(Encoder(folder), towers="separate")
    changed(other.encoder, 0.5)
    model = CrossEncoder(Encoder(folder))
    load_weights(model, save(other, tmp_path))
    assert same(model.encoder, other.encoder)


def test_a_document_tower_of_another_shape_is_rejected(folder: str, collection: Collection, tmp_path: Path) -> None:
    """A state that no run writes, but a hand can."""
    other = DualEncoder(Encoder(folder), towers="separate")
    path = save(other, tmp_path)
    state = torch.load(path)
    name = "model.document_encoder.model.embeddings.word_embeddings.weight"
    state["state_dict"][name] = state["state_dict"][name][:5]
    torch.save(state, path)
    with pytest.raises(ConfigError, match=r"document_encoder\S+ is \(5, 16\) there, \(\d+, 16\) here"):
        load_weights(DualEncoder(Encoder(folder), towers="separate"), path)


def test_a_head_with_weights_of_the_same_name_is_another_one_still(folder: str, tmp_path: Path) -> None:
    """MaxSim has vanilla's layer and level weights; a dual model's projection has a bias, a late one's has none."""
    vanilla, maxsim = CEDR(Encoder(folder), Vanilla), CEDR(Encoder(folder), MaxSim)
    before = vanilla.head.linear.weight.clone()  # type: ignore[union-attr,operator]
    load_weights(vanilla, save(changed(maxsim, 0.5), tmp_path))
    assert torch.equal(vanilla.head.linear.weight, before)  # type: ignore[union-attr,arg-type]

    late = LateInteraction(Encoder(folder), dimension=8)
    before = late.projection.weight.clone()
    load_weights(late, save(changed(DualEncoder(Encoder(folder), projection=8), 0.5), tmp_path))
    assert torch.equal(late.projection.weight, before)


def test_what_came_is_told_in_one_line(folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A tiny BERT of 2 layers has 37 tensors: 5 of the embeddings and 16 a layer."""
    caplog.set_level("INFO")
    towers, single = DualEncoder(Encoder(folder), towers="separate"), DualEncoder(Encoder(folder), projection=8)

    path = save(single, tmp_path)
    load_weights(DualEncoder(Encoder(folder), towers="separate", projection=8), path)
    assert caplog.messages[-1] == (
        f"init_from={path}: 74 tensors of the encoder taken, its own for both towers; 2 of the head taken; "
        "query_mean, document_mean, temperature.log_scale left as this run sets them"
    )

    path = save(towers, tmp_path)
    load_weights(CrossEncoder(Encoder(folder)), path)
    assert caplog.messages[-1] == (
        f"init_from={path}: 37 tensors of the encoder taken; 4 of the head left at their start, as it is another head; "
        "37 tensors there not used, document_encoder.model.embeddings.LayerNorm.bias among them"
    )


def test_weights_in_half_precision_arrive_in_32_bits(folder: str, tmp_path: Path) -> None:
    model, other = CrossEncoder(Encoder(folder)), CrossEncoder(Encoder(folder))
    load_weights(model, save(other.half(), tmp_path))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(
        torch.equal(a, b.float()) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("towers", ["shared", "separate"])
def test_vectors_come_over_by_piece_from_a_trimmed_vocabulary_and_into_one(
    towers: Literal["shared", "separate"], collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows have other numbers there; a piece that one of the two lacks keeps its start."""
    caplog.set_level("INFO")
    name = str(write("xlm-roberta", tmp_path / "whole"))
    small = PretrainedEncoder(name, trim_vocabulary=True).prepare(collection, "train", tmp_path / "small", 1)
    for here, there in ((small, name), (name, small)):
        other, model = DualEncoder(Encoder(there)), DualEncoder(Encoder(here), towers=towers)
        changed(other, 0.5)
        start = model.encoder.model.embeddings.word_embeddings.weight.detach().clone()
        write_model_folder(tmp_path / "out", Recipe.of({"seed": 1}, other.encoder), other.state_dict())
        load_weights(model, tmp_path / "out")

        # Every vector of every tower is the other model's of that piece, or its start.
        names = model.encoder.tokenizer.get_vocab()
        theirs = other.encoder.tokenizer.get_vocab()
        common = [piece for piece in names if piece in theirs]
        assert len(common) == min(len(names), len(theirs)) < max(len(names), len(theirs))
        assert any(names[piece] != theirs[piece] for piece in common)
        expected = start.clone()
        source = other.encoder.model.embeddings.word_embeddings.weight
        for piece in common:
            expected[names[piece]] = source[theirs[piece]]
        for encoder in (model.encoder, model.document_encoder or model.encoder):
            assert torch.equal(encoder.model.embeddings.word_embeddings.weight, expected)
        layer = model.encoder.model.encoder.layer[0].output.dense.bias
        assert torch.equal(layer, other.encoder.model.encoder.layer[0].output.dense.bias)
        told = f"init_from: another vocabulary; the vectors of {len(common)} of {len(names)} pieces of encoder."
        assert told in caplog.text
