"""The encoder: any Hugging Face transformer by name or folder, optionally its first layers only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError, one_of

log = logging.getLogger(__name__)
ATTENTION = ("eager", "sdpa", "flash_attention_2", "flex_attention")


@dataclass(frozen=True)
class PretrainedEncoder:
    """A pretrained encoder; `name` is a hub name or a folder."""

    name: str
    layers: int | None = None
    dropout: float | None = None
    attention: str | None = None
    gradient_checkpointing: bool = False
    frozen: int | None = None
    reinitialise: int | None = None

    def prepare(self, collection: Collection, train: str, folder: Path, seed: int) -> str:
        """Nothing to make: the name itself."""
        return self.name


def full_precision(tensor: Tensor) -> AbstractContextManager[Any]:
    """A context without half precision on the tensor's device.

    Only the encoder runs in half precision: bfloat16 has three digits, which would make scores that lie close, and
    cosines do, equal.
    """
    return torch.autocast(tensor.device.type, enabled=False)


def _blocks(model: nn.Module, depth: int) -> nn.ModuleList:
    lists = (part for part in model.modules() if isinstance(part, nn.ModuleList))
    return next(part for part in lists if len(part) == depth)


def _configuration(
    name: str, layers: int | None, dropout: float | None, counts: Mapping[str, int | None]
) -> PretrainedConfig:
    """The model's configuration as the settings want it; `counts` are settings that count layers."""
    config: PretrainedConfig = AutoConfig.from_pretrained(name)
    if layers is not None:
        if not 1 <= layers <= config.num_hidden_layers:
            raise ConfigError(f"encoder.layers is {layers}; {name} has 1 to {config.num_hidden_layers}")
        config.num_hidden_layers = layers
    for setting, count in counts.items():
        if count is not None and not 0 <= count <= config.num_hidden_layers:
            raise ConfigError(f"encoder.{setting} is {count}; allowed: 0 to {config.num_hidden_layers}, or null")
    if dropout is not None:
        if not isinstance(dropout, float | int) or not 0 <= dropout < 1:
            raise ConfigError(f"encoder.dropout is {dropout}; allowed: 0 or more, below 1, or null")
        for key, value in config.to_dict().items():  # number and names of the shares differ from family to family
            if "dropout" in key and isinstance(value, float | int):
                setattr(config, key, dropout)
    return config


def _model(name: str, config: PretrainedConfig, attention: str | None, *, weights: bool) -> Any:
    """The transformer, with its weights or without; weights that the folder lacks are told."""
    auto: Any = AutoModel
    if not weights:
        return auto.from_config(config, attn_implementation=attention)
    with _without_report():
        model, found = auto.from_pretrained(
            name, config=config, attn_implementation=attention, output_loading_info=True
        )
    absent = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
    if absent:
        told = "%s has no weights for %d tensors, %s among them: they start at random"
        log.warning(told, name, len(absent), absent[0])
    return model


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers from listing the weights of heads and poolers that are not used."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


class Rows(Protocol):
    """Padded rows of token ids, `[N, T]` each: a batch, or what an architecture makes of one."""

    @property
    def input_ids(self) -> Tensor: ...  # noqa: D102

    @property
    def attention_mask(self) -> Tensor: ...  # noqa: D102

    @property
    def token_type_ids(self) -> Tensor | None: ...  # noqa: D102


class Encoder(nn.Module):
    """Token ids in, hidden states out, with the tokenizer that belongs to them.

    Args:
        name: a Hugging Face name or folder.
        layers: keep the first so many layers; `None` for all.
        weights: `False` builds the architecture alone, for a checkpoint to fill.
        dropout: of its layers in training; `None` for what its own configuration says, mostly 0.1.
        attention: how the layers compute it, one of `ATTENTION`; `None` for what transformers takes, mostly `sdpa`.
        gradient_checkpointing: keep only the layers' inputs in training and compute the rest again: about a third
            slower, memory of one layer instead of all.
        frozen: fix the embeddings (0) and so many of the lowest layers; `None` trains all.
        reinitialise: start so many of the highest layers from random weights (Zhang et al., 2021, of the top ones; with
            all of them nothing but the embeddings is pretrained); `None` for none.
    """

    def __init__(
        self,
        name: str,
        *,
        layers: int | None = None,
        weights: bool = True,
        dropout: float | None = None,
        attention: str | None = None,
        gradient_checkpointing: bool = False,
        frozen: int | None = None,
        reinitialise: int | None = None,
    ) -> None:
        super().__init__()
        if attention is not None:
            one_of(attention, ATTENTION, "encoder.attention")
        try:
            self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name)
            config = _configuration(name, layers, dropout, {"frozen": frozen, "reinitialise": reinitialise})
            self.model = _model(name, config, attention, weights=weights)
            self.model.pooler = None  # not used, and unused weights stop DistributedDataParallel
            self.model.train()
        except ImportError as error:  # an attention's own package, or a tokenizer's
            raise ConfigError(f"encoder {name!r}, attention={attention}: {str(error).splitlines()[0]}") from error
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"encoder {name!r} cannot be loaded ({str(error).splitlines()[0]}); "
                "give a folder with config.json, tokenizer.json and model.safetensors, or a hub name while online"
            ) from error
        self.width: int = config.hidden_size
        self.pad_id: int = self.tokenizer.pad_token_id
        # RoBERTa's family counts positions from behind the padding id.
        offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta") else 0
        self.longest: int = config.max_position_embeddings - offset
        self.depth: int = config.num_hidden_layers
        if gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        if reinitialise is not None:
            self._reinitialise(self.depth - reinitialise)
        if frozen is not None:
            self.freeze(frozen)

    def _reinitialise(self, first: int) -> None:
        """Random weights, as the architecture draws them, in the layers from `first` on."""
        auto: Any = AutoModel
        fresh = _blocks(auto.from_config(self.model.config), self.depth)
        for block, weights in zip(self.blocks[first:], fresh[first:], strict=True):
            block.load_state_dict(weights.state_dict())

    def freeze(self, layers: int) -> None:
        """Fix the embeddings and the lowest `layers` layers."""
        learning = {id(weight) for block in self.blocks[layers:] for weight in block.parameters()}
        for weight in self.parameters():
            weight.requires_grad_(id(weight) in learning)

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer layers, the lowest first."""
        return _blocks(self.model, self.depth)

    def forward(self, rows: Rows) -> Tensor:
        """Hidden states of the last layer, `[N, T, H]`, as 32-bit numbers."""
        types = {} if rows.token_type_ids is None else {"token_type_ids": rows.token_type_ids}
        output = self.model(input_ids=rows.input_ids, attention_mask=rows.attention_mask, **types)
        states: Tensor = output.last_hidden_state
        return states.float()

    def visit(self, rows: Rows, see: Callable[[int, Tensor], None]) -> Tensor:
        """`forward` that shows each level's states `[N, T, H]` as they come: 0 the embeddings, then every layer.

        Nothing is kept here, so that without gradients only what `see` keeps takes memory.
        """

        def before(_: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            see(0, arguments[0] if arguments else keywords["hidden_states"])

        def after(level: int) -> Callable[[nn.Module, Any, Any], None]:
            return lambda _, __, output: see(level, output[0] if isinstance(output, tuple) else output)

        with ExitStack() as hooks:
            blocks = self.blocks
            hooks.callback(blocks[0].register_forward_pre_hook(before, with_kwargs=True).remove)
            for level, block in enumerate(blocks, 1):
                hooks.callback(block.register_forward_hook(after(level)).remove)
            return self.forward(rows)

    def check_length(self, length: int, name: str = "datamodule.max_length") -> None:
        """Refuse rows longer than the encoder has positions for; `name` is the setting that decides."""
        if length > self.longest:
            raise ConfigError(f"{name} is {length}; this encoder takes at most {self.longest} tokens")

    def describe(self, folder: Path) -> None:
        """Write config and tokenizer, without weights, so that a checkpoint can be read without the original."""
        self.model.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
