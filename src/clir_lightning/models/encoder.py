"""The encoder: any Hugging Face transformer by name or folder, optionally its first layers only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from clir_lightning.data.batching import Batch
from clir_lightning.data.collection import Collection
from clir_lightning.data.texts import Texts
from clir_lightning.errors import ConfigError


@dataclass(frozen=True)
class PretrainedEncoder:
    """A pretrained encoder; `name` is a hub name or a folder."""

    name: str
    layers: int | None = None

    def prepare(self, collection: Collection, train: str, folder: Path, seed: int) -> str:
        """Nothing to make: the name itself."""
        return self.name


class Encoder(nn.Module):
    """Token ids in, hidden states out, with the tokenizer that belongs to them.

    Args:
        name: a Hugging Face name or folder.
        layers: keep the first so many layers; `None` for all.
        weights: `False` builds the architecture alone, for a checkpoint to fill.
    """

    def __init__(self, name: str, *, layers: int | None = None, weights: bool = True) -> None:
        super().__init__()
        try:
            self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name)
            config = AutoConfig.from_pretrained(name)
            if layers is not None:
                if not 1 <= layers <= config.num_hidden_layers:
                    raise ConfigError(f"encoder.layers is {layers}; {name} has 1 to {config.num_hidden_layers}")
                config.num_hidden_layers = layers
            auto: Any = AutoModel
            self.model = auto.from_pretrained(name, config=config) if weights else auto.from_config(config)
            self.model.pooler = None  # not used, and unused weights stop DistributedDataParallel
            self.model.train()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"encoder {name!r} cannot be loaded ({str(error).splitlines()[0]}); "
                "give a folder with config.json, tokenizer.json and model.safetensors, or a hub name while online"
            ) from error
        self.width: int = config.hidden_size
        # RoBERTa's family counts positions from behind the padding id.
        offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta") else 0
        self.longest: int = config.max_position_embeddings - offset

    def forward(self, batch: Batch | Texts) -> Tensor:
        """Hidden states of the last layer, `[N, T, H]`."""
        types = {} if batch.token_type_ids is None else {"token_type_ids": batch.token_type_ids}
        output = self.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, **types)
        states: Tensor = output.last_hidden_state
        return states

    def check_length(self, max_length: int) -> None:
        """Refuse pairs longer than the encoder has positions for."""
        if max_length > self.longest:
            raise ConfigError(
                f"datamodule.max_length is {max_length}; this encoder takes at most {self.longest} tokens"
            )

    def describe(self, folder: Path) -> None:
        """Write config and tokenizer, without weights, so that a checkpoint can be read without the original."""
        self.model.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
