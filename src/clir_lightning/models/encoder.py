"""The encoder: any Hugging Face transformer by name or folder, optionally its first layers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from clir_lightning.errors import ConfigError
from clir_lightning.models.end_to_end import EndToEnd
from clir_lightning.models.hub import located
from clir_lightning.models.layers import layers_of, levels, longest_row
from clir_lightning.models.loading import EncoderSettings, configuration, transformer
from clir_lightning.models.unpadded import NAME, Layout, TokenRows

AS_IT_IS = EncoderSettings()


@contextmanager
def full_precision(tensor: Tensor) -> Iterator[None]:
    """A context without half precision and without TF32 on the tensor's device.

    Only the encoder runs in them: both have three digits, which would make scores that lie close, and cosines do,
    equal.
    """
    before = torch.get_float32_matmul_precision()
    if tensor.is_cuda:
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(tensor.device.type, enabled=False):
            yield
    finally:
        if tensor.is_cuda:
            torch.set_float32_matmul_precision(before)


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

        # Sizes, and what the rows of this family's models hold.
        config: PretrainedConfig = self.model.config
        self.width: int = config.hidden_size
        self.depth: int = config.num_hidden_layers
        self.longest = self._longest(name, config)
        self.pad_id = self._padding(name)
        kinds = getattr(config, "type_vocab_size", 0)
        self.takes_types = kinds > 1 and "token_type_ids" in signature(self.model.forward).parameters
        self.unpadded: bool = config._attn_implementation == NAME
        self.end_to_end = EndToEnd(self.model, takes_types=self.takes_types)

        # How it is trained.
        self.train()
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
            folder = located(name, weights=weights)
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            tokenizer.name_or_path = name
            return tokenizer, transformer(name, configuration(name, settings), attention, weights=weights)

        # An attention's own package is missing, or a tokenizer's.
        except ImportError as error:
            raise ConfigError(f"encoder {name!r}, attention={attention}: {str(error).splitlines()[0]}") from error

        # The model cannot compute the attention, or its folder is not one.
        except (OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            if attention != "auto" and "attention implementation" in told:
                problem = f"encoder.attention is {attention}; {name} has no such attention"
                raise ConfigError(f"{problem}; allowed: eager, or auto") from error
            raise ConfigError(
                f"encoder {name!r} cannot be loaded ({told}); "
                "give a folder with config.json, tokenizer.json and model.safetensors, or a hub name"
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
        if self.unpadded:
            layout = Layout.of(rows)
            return layout.padded(self.end_to_end(rows, layout).float())
        types = {"token_type_ids": rows.token_type_ids} if self.takes_types and rows.token_type_ids is not None else {}
        output = self.model(input_ids=rows.input_ids, attention_mask=rows.attention_mask, **types)
        states: Tensor = output.last_hidden_state
        return states.float()

    def first(self, rows: TokenRows) -> Tensor:
        """The state of each row's first token, `[N, H]`: `forward`'s, without what only the other tokens need."""
        if not self.unpadded:
            return self.forward(rows)[:, 0]
        layout = Layout.of(rows)
        return layout.in_order(self.end_to_end(rows, layout, first_only=True)).float()

    def train(self, mode: bool = True) -> Encoder:
        """As every module's; a copy of the weights for scoring is dropped."""
        self.end_to_end.forget()
        return super().train(mode)

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

        def in_rows(states: Tensor) -> Tensor:
            return states[:, :width] if layout is None else layout.padded(states.view(-1, self.width))

        def show(level: int, states: Tensor) -> None:
            if torch.is_grad_enabled():
                waiting.append((level, states))
            else:
                see(level, in_rows(states))

        if layout is None:
            with self._shown(show):
                states = self.forward(rows)
        elif self.end_to_end.fused(rows.input_ids.device) is not None:
            states = layout.padded(self.end_to_end(rows, layout, see=show).float())
        else:
            with self._shown(show):
                states = self.forward(rows)

        # With gradients all levels come now, the hooks gone.
        for level, seen in waiting:
            see(level, in_rows(seen))
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
