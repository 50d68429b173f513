"""`clir data inspect`: a collection's card."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.card import PERCENTILES, card, token_card


def main(config: DictConfig) -> None:
    """Run the job; it reads on whatever is wrong with the files, and the card tells what was left out."""
    for setting in ("on_error", "on_missing"):
        if setting in config.data:
            config.data[setting] = "skip"
    collection: Collection = build(config.data)
    rows = card(collection)
    for name in config.tokenizers:
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError) as error:
            problem = str(error).splitlines()[0]
            raise ConfigError(
                f"tokenizer {name!r} cannot be loaded ({problem}); give a folder or a hub name"
            ) from error
        rows += token_card(collection, tokenizer, config.max_length)
    table = Table(
        title=f"lengths: percentiles {', '.join(map(str, PERCENTILES))}", show_header=False, title_justify="left"
    )
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
