"""An encoder's folder with the vocabulary that a collection needs: `encoder.trim_vocabulary`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection
from clir_lightning.data.store.folders import build_once, file_stamp, fingerprint, read_manifest
from clir_lightning.data.tokens.table import backend, chunks, texts_of
from clir_lightning.errors import ConfigError
from clir_lightning.models.hub import located
from clir_lightning.models.layers import positions_of
from clir_lightning.models.loading import absent_weights, quietly
from clir_lightning.models.vocabulary import CURE, SETTING, kept_ids, trimmed

log = logging.getLogger(__name__)

TOKENIZER = "tokenizer.json"


class CollectionTexts:
    """Every text of a collection, queries of all splits and documents, and the prefixes that batches put before them.

    Attributes:
        key: a fingerprint of them all.
        of: what people call the collection.
    """

    def __init__(self, collection: Collection, prefixes: Sequence[str] = ()) -> None:
        self.of = collection.name
        records: list[Any] = [collection.documents, *(split.queries for split in collection.splits.values())]
        parts = [texts_of(part) for part in records]
        before = sorted({prefix.strip() for prefix in prefixes} - {""})
        self._parts: list[Iterable[str]] = [before, *(texts for texts, _, _ in parts)]
        self.key = fingerprint([*before, *(key for _, key, _ in parts)])

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)


class Whole(Protocol):
    """What is trimmed: an encoder with its tokenizer."""

    tokenizer: PreTrainedTokenizerBase
    model: Any


def trimmed_folder(
    name: str, load: Callable[[], Whole], texts: CollectionTexts, folder: Path, cache: str | None = None
) -> str:
    """The folder of the encoder `name`, which `load` reads, with what `texts` need.

    It is made once in `cache`; without one it is `folder`.
    """

    def build(place: Path) -> dict[str, Any]:
        whole = load()
        write_trimmed(whole.tokenizer, whole.model, texts, place)
        return {"kind": "encoder", "of": f"{name} for {texts.of}", "name": name, "texts": texts.key}

    if cache is None:
        build(folder)
        return str(folder)
    target = Path(cache).expanduser() / "encoders" / fingerprint([_origin(name), texts.key])
    build_once(target, build)
    read_manifest(target)
    return str(target)


def _origin(name: str) -> str:
    """What tells an unchanged encoder, a folder or a hub name, without reading it."""
    place = Path(name)
    if place.is_dir():
        return fingerprint([tokenizers.__version__, *(file_stamp(f) for f in sorted(place.iterdir()) if f.is_file())])

    # A hub's files lie in a folder that is called by their commit.
    return fingerprint([tokenizers.__version__, name, f"{located(name)}/config.json"])


def write_trimmed(tokenizer: PreTrainedTokenizerBase, model: Any, texts: Iterable[str], folder: Path) -> None:
    """Write an encoder with the pieces that `texts` need, as transformers writes a folder; `model` is used up.

    Raises `ConfigError` for a tokenizer that cannot be cut down, or that then takes a text to other pieces.
    """
    # What the tokenizer is, before padding and truncation are taken off it to read the texts.
    core = backend(tokenizer)
    content = json.loads(core.to_str())
    used, digests = _read(core, texts)
    kept = kept_ids(content, used | set(tokenizer.all_special_ids) | _before_padding(model))

    # The tokenizer: its own folder, with other content in the main file.
    tokenizer.save_pretrained(folder)
    text = json.dumps(trimmed(content, kept), ensure_ascii=False)
    (folder / TOKENIZER).write_text(text, encoding="utf-8")
    new = {old: place for place, old in enumerate(kept)}
    _renumber_settings(folder / "tokenizer_config.json", new)
    _check(folder, texts, kept, digests)

    # The model: the same but for the table's rows. What the original lacks starts at random here too.
    before = sum(weight.numel() for weight in model.parameters())
    _cut(model, kept, new)
    absent = absent_weights(model)
    with quietly():
        model.save_pretrained(folder, state_dict={k: v for k, v in model.state_dict().items() if k not in absent})
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)  # a cache may be shared
    after = sum(weight.numel() for weight in model.parameters())
    told = "%s: %d of %d pieces stay, and %.1f of %.1f million parameters"
    log.info(told, SETTING, len(kept), len(tokenizer), after / 1e6, before / 1e6)


def _read(core: tokenizers.Tokenizer, texts: Iterable[str]) -> tuple[set[int], list[str]]:
    """The ids that occur in `texts`, and a digest of each chunk's tokens."""
    used: set[int] = set()
    digests = []
    for _, ids, lengths in _tokenised(core, texts):
        used.update(np.unique(ids).tolist())
        digests.append(fingerprint([ids.tobytes(), lengths.tobytes()]))
    return used, digests


def _tokenised(
    core: tokenizers.Tokenizer, texts: Iterable[str]
) -> Iterator[tuple[list[str], NDArray[np.int64], NDArray[np.int64]]]:
    """Chunks of texts, their tokens end to end and the number of each text's, `[tokens]` and `[texts]`."""
    core.no_padding()
    core.no_truncation()
    for part in chunks(texts):
        rows = [row.ids for row in core.encode_batch_fast(part, add_special_tokens=False)]
        lengths = np.array([len(row) for row in rows])
        yield part, np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum())), lengths


def _check(folder: Path, texts: Iterable[str], kept: Sequence[int], digests: Sequence[str]) -> None:
    """Reject a folder whose tokenizer, as transformers loads it, takes `texts` to other tokens than those read."""
    core = backend(AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    old = np.array(kept)
    for (part, ids, lengths), digest in zip(_tokenised(core, texts), digests, strict=True):
        if fingerprint([old[ids].tobytes(), lengths.tobytes()]) != digest:
            told = f"one of {len(part)} texts from {part[0][:40]!r} on"
            problem = f"{SETTING} is true, but without other pieces the encoder's tokenizer splits {told} otherwise"
            raise ConfigError(f"{problem}; {CURE}")


def _before_padding(model: nn.Module) -> set[int]:
    """The ids up to that of padding, where positions are counted from it: it has to keep its number."""
    table = positions_of(model)
    return set() if table is None or table.padding_idx is None else set(range(table.padding_idx + 1))


def _cut(model: Any, kept: Sequence[int], new: dict[int, int]) -> None:
    """Leave the rows `kept` of the table of token vectors, and the configuration in step."""
    # The rows, [V', width].
    table: nn.Embedding = model.get_input_embeddings()
    with torch.no_grad():
        table.weight = nn.Parameter(table.weight[torch.tensor(kept)])
    table.num_embeddings = len(kept)

    # Its size, and the special tokens that it names.
    config = model.config
    config.vocab_size = len(kept)
    for name, value in config.to_dict().items():
        if name.endswith("_token_id"):
            listed = isinstance(value, list)
            setattr(config, name, [new.get(each, each) for each in value] if listed else new.get(value, value))


def _renumber_settings(file: Path, new: dict[int, int]) -> None:
    """The numbers of added tokens in a tokenizer's settings, which older folders have there too."""
    settings = json.loads(file.read_text(encoding="utf-8"))
    added = settings.get("added_tokens_decoder")
    if added:
        settings["added_tokens_decoder"] = {str(new.get(int(number), number)): token for number, token in added.items()}
        file.write_text(json.dumps(settings, indent=2, ensure_ascii=False), encoding="utf-8")
