"""The encoder: any Hugging Face transformer by name or folder, optionally its first layers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models.fused import FusedStack, can_fuse
from clir_lightning.models.layers import layers_of, levels, longest_row
from clir_lightning.models.loading import EncoderSettings, configuration, transformer
from clir_lightning.models.unpadded import NAME, Layout, TokenRows, has_positions, positions

AS_IT_IS = EncoderSettings()


@dataclass(frozen=True)
class PretrainedEncoder(EncoderSettings):
    """A pretrained encoder and its settings; `name` is a hub name or a folder."""

    name: str

    def prepare(self, collection: Collection, train: str, folder: Path, seed: int) -> str:
        """Nothing to make: the name itself."""
        return self.name


def full_precision(tensor: Tensor) -> AbstractContextManager[Any]:
    """A context without half precision on the tensor's device.

    Only the encoder runs in half precision: bfloat16 has three digits, which would make scores that lie close, and
    cosines do, equal.
    """
    return torch.autocast(tensor.device.type, enabled=False)


class Encoder(nn.Module):
    """Token ids in, hidden states out, with the tokenizer that belongs to them.

    Args:
        name: a Hugging Face name or folder.
        settings: what of it is used and how it is trained; nothing: all of it, as its own configuration says.
        weights: `False` builds the architecture alone, for a trained model's to fill.
    """

    def __init__(self, name: str, settings: EncoderSettings = AS_IT_IS, *, weights: bool = True) -> None:
        super().__init__()
        self.tokenizer, self.model = self._load(name, settings, weights=weights)
        self.model.pooler = None  # not used, and unused weights stop DistributedDataParallel
        self.model.train()

        # Sizes, and what the rows of this family's models hold.
        config: PretrainedConfig = self.model.config
        self.width: int = config.hidden_size
        self.depth: int = config.num_hidden_layers
        self.longest = self._longest(name, config)
        self.pad_id = self._padding(name)
        kinds = getattr(config, "type_vocab_size", 0)
        self.takes_types = kinds > 1 and "token_type_ids" in signature(self.model.forward).parameters
        self.unpadded: bool = config._attn_implementation == NAME  # rows lie end to end
        self._fused: tuple[Any, FusedStack] | None = None

        # How it is trained.
        if settings.gradient_checkpointing:
            if not self.model.supports_gradient_checkpointing:
                problem = f"encoder.gradient_checkpointing is true; models of the family {config.model_type} have none"
                raise ConfigError(f"{problem}; set it to false")
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        if settings.reinitialise is not None:
            self._reinitialise(self.depth - settings.reinitialise)
        if settings.frozen is not None:
            self.freeze(settings.frozen)

    @staticmethod
    def _load(name: str, settings: EncoderSettings, *, weights: bool) -> tuple[PreTrainedTokenizerBase, Any]:
        """Tokenizer and model; what a library says of either becomes one line."""
        attention = settings.attention
        try:
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            return tokenizer, transformer(name, configuration(name, settings), attention, weights=weights)

        # An attention's own package is missing, or a tokenizer's.
        except ImportError as error:
            raise ConfigError(f"encoder {name!r}, attention={attention}: {str(error).splitlines()[0]}") from error

        # The model cannot compute the attention, or there is no such model.
        except (OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            if attention != "auto" and "attention implementation" in told:
                problem = f"encoder.attention is {attention}; {name} has no such attention"
                raise ConfigError(f"{problem}; allowed: eager, or auto") from error
            raise ConfigError(
                f"encoder {name!r} cannot be loaded ({told}); "
                "give a folder with config.json, tokenizer.json and model.safetensors, or a hub name while online"
            ) from error

    def _longest(self, name: str, config: PretrainedConfig) -> int:
        longest = longest_row(self.model, config)
        if longest is None:
            raise ConfigError(
                f"encoder {name!r} ({config.model_type}) does not tell how many tokens it takes; "
                "set max_position_embeddings in its config.json"
            )
        return longest

    def _padding(self, name: str) -> int:
        padding: int | None = self.tokenizer.pad_token_id
        if padding is None:
            raise ConfigError(
                f"encoder {name!r} has a tokenizer without a pad_token; name one in tokenizer_config.json"
            )
        return padding

    def _reinitialise(self, first: int) -> None:
        """Random weights, as the architecture draws them, in the layers from `first` on."""
        auto: Any = AutoModel
        fresh = layers_of(auto.from_config(self.model.config), self.depth)
        for block, weights in zip(self.blocks[first:], fresh[first:], strict=True):
            block.load_state_dict(weights.state_dict())

    def freeze(self, layers: int) -> None:
        """Fix the embeddings and the lowest `layers` layers; with all of them the whole encoder."""
        level = self.levels()
        for weight in self.parameters():
            weight.requires_grad_(level[id(weight)] > layers)

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer layers, the lowest first."""
        return layers_of(self.model, self.depth)

    def levels(self) -> dict[int, int]:
        """The level of each parameter, by `id`: 0 the embeddings, 1 the first layer, …."""
        return levels(self.model, self.blocks)

    def forward(self, rows: TokenRows) -> Tensor:
        """Hidden states of the last layer, `[N, T, H]`, as 32-bit numbers; padding has none that mean anything."""
        if not self.unpadded:
            output = self.model(input_ids=rows.input_ids, attention_mask=rows.attention_mask, **self._types(rows))
            states: Tensor = output.last_hidden_state
            return states.float()
        layout = Layout.of(rows)
        return layout.padded(self._end_to_end(rows, layout).float())

    def first(self, rows: TokenRows) -> Tensor:
        """The state of each row's first token, `[N, H]`: `forward`'s, without what only the other tokens need."""
        if not self.unpadded:
            return self.forward(rows)[:, 0]
        layout = Layout.of(rows)
        states = self._end_to_end(rows, layout, first_only=True)
        return layout.in_order(states).float()

    def _types(self, rows: TokenRows) -> dict[str, Tensor]:
        if not self.takes_types or rows.token_type_ids is None:
            return {}
        return {"token_type_ids": rows.token_type_ids}

    def _end_to_end(
        self,
        rows: TokenRows,
        layout: Layout,
        *,
        first_only: bool = False,
        see: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """States `[M, H]` of unpadded rows, or `[N, H]` of their first tokens."""
        ids = layout.take(rows.input_ids)
        places = positions(layout, rows, self.model.config)
        types = {name: layout.take(cells) for name, cells in self._types(rows).items()}
        fused = self._fused_stack(ids.device)
        if fused is not None:
            return fused(ids, places, types.get("token_type_ids"), layout, first_only=first_only, see=see)

        # As a single row of transformers' model, whose attention is told where the rows end.
        together = {name: values[None] for name, values in {"input_ids": ids, "position_ids": places, **types}.items()}
        states: Tensor = self.model(**together, layout=layout).last_hidden_state[0]
        return layout.firsts(states) if first_only else states

    def _fused_stack(self, device: torch.device) -> FusedStack | None:
        """The faster layers, where nothing is learnt on a CPU and they can be had; made anew when weights changed."""
        if torch.is_grad_enabled() or self.training or device.type != "cpu":
            return None
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        weights = list(self.model.parameters())
        if not can_fuse(self.model.config, dtype) or any(map(torch.is_inference, weights)):
            return None
        state = (dtype, [(weight.data_ptr(), weight._version) for weight in weights])
        if self._fused is None or self._fused[0] != state:
            self._fused = (state, FusedStack(self.model, dtype))
        return self._fused[1]

    def train(self, mode: bool = True) -> Encoder:
        """As every module's; a copy of the weights for scoring is dropped."""
        self._fused = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fused": None}

    def visit(self, rows: TokenRows, see: Callable[[int, Tensor], None]) -> Tensor:
        """`forward` that shows each level's states `[N, T, H]` as they come: 0 the embeddings, then every layer.

        Nothing is kept here, so that without gradients only what `see` keeps takes memory. Gradients keep the states
        anyway, and then all are shown at the end: a layer that gradient checkpointing computes again must be the same
        both times, without what `see` computes from it. The last level's states are those that `forward` gives, behind
        a final norm where the family has one.
        """
        layout = Layout.of(rows) if self.unpadded else None
        waiting: list[tuple[int, Tensor]] = []

        # Longformer's layers see rows filled up to whole windows, of which `width` tokens are the row's.
        width = rows.input_ids.shape[1]

        def show(level: int, states: Tensor) -> None:
            states = states[:, :width] if layout is None else layout.padded(states.view(-1, self.width))
            if torch.is_grad_enabled():
                waiting.append((level, states))
            else:
                see(level, states)

        if layout is None:
            with self._shown(show):
                states = self.forward(rows)
        elif self._fused_stack(rows.input_ids.device) is not None:
            states = layout.padded(self._end_to_end(rows, layout, see=show).float())
        else:
            with self._shown(show):
                states = layout.padded(self._end_to_end(rows, layout).float())

        # With gradients all levels come now, the hooks gone.
        for level, seen in waiting:
            see(level, seen)
        see(self.depth, states)
        return states

    @contextmanager
    def _shown(self, show: Callable[[int, Tensor], None]) -> Iterator[None]:
        """Show what goes into the first layer, level 0, and what comes out of every other but the last.

        What comes out of the last one goes through a norm first.
        """

        # A layer gives its states [N, T, H] alone or first of several.
        def before(_: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            show(0, arguments[0] if arguments else keywords["hidden_states"])

        def after(level: int) -> Callable[[nn.Module, Any, Any], None]:
            return lambda _, __, output: show(level, output[0] if isinstance(output, tuple) else output)

        with ExitStack() as hooks:
            blocks = self.blocks
            hooks.callback(blocks[0].register_forward_pre_hook(before, with_kwargs=True).remove)
            for level, block in enumerate(blocks[:-1], 1):
                hooks.callback(block.register_forward_hook(after(level)).remove)
            yield

    def check_length(self, length: int, name: str = "batches.max_length") -> None:
        """Reject rows longer than the encoder has positions for; `name` is the setting that decides."""
        if length > self.longest:
            raise ConfigError(f"{name} is {length}; this encoder takes at most {self.longest} tokens")

    def describe(self, folder: Path) -> None:
        """Write config and tokenizer, without weights, so that a trained model can be read without the original."""
        self.model.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
