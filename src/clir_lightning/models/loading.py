"""A Hugging Face transformer as the settings want it: the settings, its configuration, its weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Any

import torch
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging as transformers_logging

from clir_lightning.errors import ConfigError
from clir_lightning.models.hub import located
from clir_lightning.models.unpadded import NAME, has_positions
from clir_lightning.settings.markers import Count, Dropout, Natural, OneOf
from clir_lightning.settings.values import check_fields

log = logging.getLogger(__name__)

ATTENTION = ("auto", "eager", "sdpa", "flash_attention_2", "flex_attention")
PER_LAYER = ("layer_types", "attention_window")  # lists with one entry per layer, of ModernBERT's kind and Longformer
OTHERS = "take one of BERT's, XLM-R's, DeBERTa's or ModernBERT's kind"


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """What of an encoder is used and how it is trained.

    Args:
        layers: keep only this many layers, from the lowest up; `None` for all.
        dropout: of its layers in training; `None` for what its own configuration says, mostly 0.1.
        attention: how the layers compute it, one of `ATTENTION`. `auto` leaves padding out where the family is known
            (`models.unpadded`), and takes transformers' choice for the others; all else computes padded rows.
        gradient_checkpointing: keep only the layers' inputs in training and compute the rest again: about a third
            slower, memory of one layer instead of all.
        frozen: fix the embeddings (0) and this many of the lowest layers; `None` trains all.
        reinitialise: start this many of the highest layers from random weights (Zhang et al., 2021, of the top ones;
            with all of them nothing but the embeddings is pretrained); `None` for none.
    """

    layers: Count | None = None
    dropout: Dropout | None = None
    attention: Annotated[str, OneOf(ATTENTION)] = "auto"
    gradient_checkpointing: bool = False
    frozen: Natural | None = None
    reinitialise: Natural | None = None

    def __post_init__(self) -> None:
        check_fields(self, "encoder")


def configuration(name: str, settings: EncoderSettings) -> PretrainedConfig:
    """The model's configuration as the settings want it.

    Raises `ConfigError` for families that are not encoders of this kind and for settings that the model cannot have.
    """
    # Code that a folder brings along is never run; without this, a terminal would be asked whether to.
    config: PretrainedConfig = AutoConfig.from_pretrained(located(name, weights=False), trust_remote_code=False)
    check_family(name, config)

    # A folder stored in half precision would be trained in it: too coarse for small steps, or out of range.
    config.dtype = torch.float32

    # The layers that are kept, and the counts that refer to them.
    layers = settings.layers
    if layers is not None:
        if not 1 <= layers <= config.num_hidden_layers:
            raise ConfigError(f"encoder.layers is {layers}; {name} has 1 to {config.num_hidden_layers}")
        _keep_layers(config, layers)
    for setting, count in {"frozen": settings.frozen, "reinitialise": settings.reinitialise}.items():
        if count is not None and not 0 <= count <= config.num_hidden_layers:
            raise ConfigError(f"encoder.{setting} is {count}; allowed: 0 to {config.num_hidden_layers}, or null")

    # Number and names of the dropout's shares differ from family to family.
    if settings.dropout is not None:
        for key, value in config.to_dict().items():
            if "dropout" in key and isinstance(value, float | int) and not isinstance(value, bool):
                setattr(config, key, settings.dropout)
    return config


def check_family(name: str, config: PretrainedConfig) -> None:
    """Reject families whose models are not a stack of layers over one row of tokens."""
    # Told by the inputs of the family's model and by the sizes that its configuration names.
    model: Any = MODEL_MAPPING.get(type(config), None)
    inputs = signature(model.forward).parameters if hasattr(model, "forward") else ()
    why = ""
    if "decoder_input_ids" in inputs:
        why = "an encoder with a decoder"
    elif hasattr(config, "num_hidden_groups"):
        why = "whose layers share their weights, so that none can be kept, frozen or drawn anew"
    elif not all(hasattr(config, size) for size in ("num_hidden_layers", "hidden_size")):
        why = "whose configuration names no num_hidden_layers and hidden_size"
    if why:
        raise ConfigError(f"encoder {name!r} is of the family {config.model_type}, {why}; {OTHERS}")

    # X-MOD is a stack of layers, with adapters of one language each.
    if config.model_type == "xmod" and config.default_language is None:
        languages = ", ".join(config.languages[:3])
        cure = f"set default_language in its config.json to one of {languages}, …"
        raise ConfigError(f"encoder {name!r} is of the family xmod and has no language to read all texts in; {cure}")


def _keep_layers(config: PretrainedConfig, layers: int) -> None:
    """Shorten the configuration, its lists of one entry per layer included."""
    for key, value in config.to_dict().items():
        if key in PER_LAYER and isinstance(value, list):
            setattr(config, key, value[:layers])
    config.num_hidden_layers = layers


def transformer(name: str, config: PretrainedConfig, attention: str, *, weights: bool) -> Any:
    """The model with its weights or without, in the configuration's 32 bits; weights that the folder lacks are told."""
    auto: Any = AutoModel
    wanted = attention if attention != "auto" else NAME if has_positions(config) else None
    if not weights:
        return auto.from_config(config, attn_implementation=wanted)

    # Unused weights of heads and poolers are not worth a word; what is used and missing is.
    with quietly():
        model, found = auto.from_pretrained(
            located(name), config=config, attn_implementation=wanted, dtype=torch.float32, output_loading_info=True
        )
    absent = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
    model.absent = absent
    if absent:
        told = "%s has no weights for %d tensors, %s among them: they start at random"
        log.warning(told, name, len(absent), absent[0])
    return model


def absent_weights(model: Any) -> Sequence[str]:
    """Names of the weights that the folder which `model` was loaded from lacked, and that started at random."""
    absent: Sequence[str] = model.absent
    return absent


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from listing weights that are not used, and from bars of what takes a second.

    What is fetched from a hub, which may take long, keeps its bar.
    """
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    of_hub = not are_progress_bars_disabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if of_hub:
        enable_progress_bars()

    # Afterwards all is as it was: a program that uses this one has settings of its own.
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if bars and not of_hub:
            disable_progress_bars()
