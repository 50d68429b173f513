"""`clir data inspect`: a collection's card."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.card import PERCENTILES, card, token_card
from clir_lightning.models.hub import located
from clir_lightning.progress import stage


def main(config: DictConfig) -> None:
    """Run the job; it reads on whatever is wrong with the files, and the card tells what was left out."""
    for setting in ("on_error", "on_missing"):
        if setting in config.data:
            config.data[setting] = "skip"
    collection: Collection = build(config.data)
    with stage("reading all texts"):
        rows = card(collection)
    for name in config.tokenizers:
        rows += token_card(collection, _tokenizer(name), config.max_length)

    # One row per fact.
    title = f"lengths: percentiles {', '.join(map(str, PERCENTILES))}"
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


def _tokenizer(name: str) -> Any:
    """A tokenizer by its folder's or its hub name; `ConfigError` if it cannot be loaded."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(located(name, what="tokenizer", weights=False))
    except (OSError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"tokenizer {name!r} cannot be loaded ({problem}); give a folder or a hub name") from error
    tokenizer.name_or_path = name
    return tokenizer
