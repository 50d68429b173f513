"""One encoder for every family: the longest row, layers, frozen and new ones, and the states of each level."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from clir_lightning.errors import ConfigError
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.layers import layers_of
from clir_lightning.models.loading import EncoderSettings
from models.families import DEPTH, EAGER_ONLY, FAMILIES, LONGEST, WITH_TABLE, write


@dataclass(frozen=True)
class Padded:
    """Rows as an encoder reads them."""

    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor | None = None


def rows(encoder: Encoder, *lengths: int) -> Padded:
    """Random tokens, each row padded to the longest."""
    random = torch.Generator().manual_seed(5)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(5, 900, mask.shape, generator=random).masked_fill(~mask, encoder.pad_id)
    return Padded(ids, mask.long(), torch.zeros_like(ids))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: write(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(family: str, folders: dict[str, Path]) -> Path:
    return folders[family]


def test_a_row_of_the_longest_length_is_encoded_and_one_more_is_rejected(family: str, folder: Path) -> None:
    """Where positions have a table, the model itself fails at one more; rotary and relative ones would go on."""
    encoder = Encoder(str(folder)).eval()
    assert encoder.longest == LONGEST
    encoder.check_length(LONGEST)
    with torch.no_grad():
        assert encoder(rows(encoder, LONGEST, 3)).shape == (2, LONGEST, 16)
    with pytest.raises(ConfigError, match=f"batches.max_length is {LONGEST + 1}; this encoder takes at most 40"):
        encoder.check_length(LONGEST + 1)
    if family in WITH_TABLE:
        with pytest.raises((IndexError, RuntimeError)), torch.no_grad():
            encoder(rows(encoder, LONGEST + 1))


def test_padding_does_not_change_a_rows_states(folder: Path) -> None:
    encoder = Encoder(str(folder)).eval()
    both = rows(encoder, 20, 7)
    alone = Padded(both.input_ids[1:, :7], both.attention_mask[1:, :7], torch.zeros(1, 7, dtype=torch.long))
    with torch.no_grad():
        assert torch.allclose(encoder(both)[1, :7], encoder(alone)[0], atol=1e-4)


def test_the_first_layers_are_kept_with_their_weights_and_can_be_described(folder: Path, tmp_path: Path) -> None:
    """The states of two layers, computed again by what `describe` and a checkpoint keep of them."""
    whole, kept = Encoder(str(folder)).eval(), Encoder(str(folder), EncoderSettings(layers=2)).eval()
    assert (len(whole.blocks), len(kept.blocks), kept.depth) == (DEPTH, 2, 2)
    for one, other in zip(kept.blocks.parameters(), whole.blocks[:2].parameters(), strict=True):
        assert torch.equal(one, other)
    kept.describe(tmp_path)
    again = Encoder(str(tmp_path), weights=False).eval()
    again.load_state_dict(kept.state_dict())
    batch = rows(kept, 12, 5)
    with torch.no_grad():
        assert torch.equal(again(batch), kept(batch))


@pytest.mark.parametrize("frozen", [0, 1, DEPTH])
def test_frozen_fixes_the_embeddings_and_the_lowest_layers_alone(frozen: int, folder: Path) -> None:
    """What is fixed has no gradient, what learns has one; a norm behind the last layer learns as long as that does."""
    encoder = Encoder(str(folder), EncoderSettings(frozen=frozen))
    learns = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    of_layers = {id(weight) for block in encoder.blocks[frozen:] for weight in block.parameters()}
    final = {"model.final_norm.weight", "model.encoder.LayerNorm.weight", "model.encoder.LayerNorm.bias"}
    behind = final if frozen < DEPTH and encoder.model.config.model_type in ("modernbert", "xlm-roberta-xl") else set()
    names = {name for name, weight in encoder.named_parameters() if id(weight) in of_layers or name in behind}
    assert learns == names


def test_fixed_layers_give_the_same_states_after_a_step(folder: Path) -> None:
    encoder = Encoder(str(folder), EncoderSettings(frozen=1, dropout=0.0))
    batch = rows(encoder, 12, 5)
    states: list[dict[int, Tensor]] = [{}, {}]
    optimizer = torch.optim.SGD([w for w in encoder.parameters() if w.requires_grad], lr=0.1)
    loss: Any = encoder.visit(batch, states[0].__setitem__).square().sum()
    loss.backward()
    optimizer.step()
    encoder.visit(batch, states[1].__setitem__)
    same = [torch.equal(states[0][level], states[1][level]) for level in range(DEPTH + 1)]
    assert same == [True, True, False, False]


def test_the_highest_layers_alone_start_anew(folder: Path) -> None:
    stored, drawn = Encoder(str(folder)), Encoder(str(folder), EncoderSettings(reinitialise=1))
    highest = {id(weight) for weight in drawn.blocks[-1].parameters() if weight.ndim > 1}
    vectors = {id(weight) for weight in drawn.blocks[-1].parameters() if weight.ndim == 1}
    for (name, one), other in zip(drawn.named_parameters(), stored.parameters(), strict=True):
        if id(one) not in vectors:
            assert torch.equal(one, other) == (id(one) not in highest), name


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_is_computed_as_asked_or_rejected(attention: str, family: str, folder: Path) -> None:
    if attention == "sdpa" and family in EAGER_ONLY:
        with pytest.raises(
            ConfigError, match=r"encoder.attention is sdpa; .* has no such attention; allowed: eager, or auto"
        ):
            Encoder(str(folder), EncoderSettings(attention=attention))
        return
    asked, own = Encoder(str(folder), EncoderSettings(attention=attention)).eval(), Encoder(str(folder)).eval()
    assert asked.model.config._attn_implementation == attention
    batch = rows(own, 12, 5)
    real = batch.attention_mask.bool()
    with torch.no_grad():
        assert torch.allclose(asked(batch)[real], own(batch)[real], atol=1e-4)


def test_dropout_is_set_whatever_the_family_calls_it(folder: Path) -> None:
    none, half = Encoder(str(folder), EncoderSettings(dropout=0.0)), Encoder(str(folder), EncoderSettings(dropout=0.5))
    batch = rows(none, 12, 5)
    with torch.no_grad():
        assert torch.equal(none(batch), none(batch))
        assert not torch.allclose(half(batch), half(batch), atol=1e-2)


@pytest.mark.parametrize("layers", [None, 1])
def test_each_levels_states_are_shown_the_last_behind_a_final_norm(layers: int | None, folder: Path) -> None:
    """Against transformers' own list of hidden states."""
    encoder = Encoder(str(folder), EncoderSettings(layers=layers)).eval()
    batch = rows(encoder, 12, 5)
    seen: dict[int, Tensor] = {}
    with torch.no_grad():
        last = encoder.visit(batch, seen.__setitem__)
        output = encoder.model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True
        )
    assert list(seen) == list(range(encoder.depth + 1))
    assert torch.equal(seen[encoder.depth], last)
    real = batch.attention_mask.bool()  # padding has no states of its own
    for level, states in enumerate(output.hidden_states):
        assert torch.allclose(seen[level][real], states[real], atol=1e-5), level


def test_gradient_checkpointing_gives_the_same_gradients_or_is_rejected(family: str, folder: Path) -> None:
    if family == "mpnet":
        with pytest.raises(ConfigError, match="models of the family mpnet have none; set it to false"):
            Encoder(str(folder), EncoderSettings(gradient_checkpointing=True))
        return
    gradients = []
    for saving in (False, True):
        encoder = Encoder(str(folder), EncoderSettings(dropout=0.0, gradient_checkpointing=saving))
        encoder(rows(encoder, 12, 5)).square().sum().backward()
        gradients.append(torch.cat([w.grad.flatten() for w in encoder.parameters() if w.grad is not None]))
    assert torch.allclose(gradients[0], gradients[1], atol=1e-3, rtol=1e-4)


def test_token_types_are_left_out_where_a_family_has_none(folder: Path) -> None:
    """A tokenizer of the general class gives them all the same, 1 in a pair's second part."""
    encoder = Encoder(str(folder)).eval()
    batch = rows(encoder, 12)
    marked = Padded(batch.input_ids, batch.attention_mask, torch.ones_like(batch.input_ids))
    with torch.no_grad():
        same = torch.equal(encoder(batch), encoder(marked))
    assert same == (encoder.model.config.model_type not in ("bert", "electra"))


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("albert", "family albert, whose layers share their weights, .*; take one of BERT's"),
        ("mt5", "family mt5, an encoder with a decoder; take one of BERT's"),
        ("bart", "family bart, an encoder with a decoder; take one of BERT's"),
    ],
)
def test_families_that_are_not_a_stack_of_layers_are_rejected_in_one_line(
    family: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        Encoder(str(write(family, tmp_path)))
    assert "\n" not in str(caught.value)


def test_xmod_without_a_language_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set default_language in its config.json to one of zh_CN, kk_KZ"):
        Encoder(str(write("xmod", tmp_path, default_language=None)))


def test_a_tokenizer_without_padding_is_rejected(tmp_path: Path) -> None:
    write("bert", tmp_path)
    tokenizer = Encoder(str(tmp_path)).tokenizer
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"has a tokenizer without a pad_token; name one in tokenizer_config.json"):
        Encoder(str(tmp_path))


def test_a_model_that_tells_no_longest_row_is_rejected(tmp_path: Path) -> None:
    """XLNet says −1: it has no table of positions and no limit."""
    write("bert", tmp_path)
    config = AutoConfig.for_model("xlnet", vocab_size=4000, d_model=16, n_layer=DEPTH, n_head=2, d_inner=32)
    auto: Any = AutoModel
    auto.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"\(xlnet\) does not tell how many tokens it takes; set max_position_embedd"):
        Encoder(str(tmp_path))


def test_a_list_of_another_length_is_not_taken_for_the_layers() -> None:
    others, layers = (nn.ModuleList(nn.Linear(1, 1) for _ in range(count)) for count in (2, 3))
    assert layers_of(nn.ModuleList([others, layers]), 3) is layers


def test_a_model_without_a_list_of_layers_is_rejected() -> None:
    with pytest.raises(ConfigError, match="Linear has no list of 3 layers; take an encoder of another family"):
        layers_of(nn.Linear(2, 2), 3)
