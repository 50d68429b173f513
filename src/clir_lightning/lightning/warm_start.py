"""Training that starts from a trained model: its weights come over, its settings never."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clir_lightning.errors import ConfigError
from clir_lightning.models.dual import RUN_STATE
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.model_folder import read_start
from clir_lightning.models.vocabulary import pieces

log = logging.getLogger(__name__)

ENCODER = "encoder."  # of both sides, or of queries
DOCUMENTS = "document_encoder."
TOWERS = (ENCODER, DOCUMENTS)
TEXT = "text."  # of the text architecture within one that builds on it


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill `model` from a trained one: its encoders always, its head where it is the same one.

    `path` is of an output folder, a model folder or a checkpoint. Separate towers are filled from as many, or both from
    a single encoder, and token vectors by piece where the vocabularies differ, as trimmed ones do. What builds on a
    text architecture is filled from such a one too, as `hike` from a trained `cross`. Temperatures and the means of
    `centring` are this run's own. What is taken, and what is not, is logged.

    Raises `ConfigError` for a path without a model and for an encoder of another shape.
    """
    given, files = read_start(path)
    given = {name.removeprefix(TEXT): value for name, value in given.items()}
    names = {name.removeprefix(TEXT): name for name in model.state_dict()}
    own = {short: model.state_dict()[name] for short, name in names.items()}
    if "tokenizer.json" in files:
        encoder: Encoder = model.encoder  # type: ignore[assignment]
        given = by_piece(encoder, given, json.loads(files["tokenizer.json"]))

    # Which of the given weights fill the encoders; the head's come over all together or not at all.
    towers = tower_sources(own, given)
    _check_towers(towers, own, given, path)
    within = {short: own[short] for short, name in names.items() if short != name}
    heads = [head_of(own), head_of(within)] if within else [head_of(own)]
    head = next((each for each in heads if _shapes(each) == _shapes(head_of(given))), {})
    filled = {names[short]: given[towers.get(short, short)] for short in [*towers, *head]}
    model.load_state_dict(filled, strict=False)

    log.info("init_from=%s: %s", path, _told(own, given, towers, len(head)))


def by_piece(encoder: Encoder, given: Mapping[str, Tensor], tokenizer: dict[str, Any]) -> dict[str, Tensor]:
    """The weights `given` with their tables of token vectors, `[V, width]`, as the pieces of `encoder` want them.

    `tokenizer` is the content of their `tokenizer.json`. A piece that it does not have keeps the vector that it starts
    from here.
    """
    there = pieces(tokenizer) | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    here = encoder.tokenizer.get_vocab()
    if here == there:
        return dict(given)

    # The table's name, the same in both towers, and the rows of the pieces in both vocabularies, [2, common].
    table = encoder.model.get_input_embeddings().weight.detach()
    name = next(key for key, value in encoder.named_parameters() if value.data_ptr() == table.data_ptr())
    common = torch.tensor([(place, there[piece]) for piece, place in here.items() if piece in there]).reshape(-1, 2).T

    # Vectors of another width are told by whoever fills the model.
    found = dict(given)
    for tower in TOWERS:
        source = given.get(tower + name)
        if source is not None and source.shape[1] == table.shape[1]:
            found[tower + name] = table.clone()
            found[tower + name][common[0]] = source[common[1]].to(table.dtype)
            told = "init_from: another vocabulary; the vectors of %d of %d pieces of %s%s taken"
            log.info(told, common.shape[1], len(here), tower, name)
    return found


def tower_sources(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """The name in the model `given` of each weight of the encoders of this one, `own`.

    >>> tower_sources(dict.fromkeys(["encoder.a", "document_encoder.a", "query_mean"]), {"encoder.a": None})
    {'encoder.a': 'encoder.a', 'document_encoder.a': 'encoder.a'}
    """
    apart = any(name.startswith(DOCUMENTS) for name in given)
    sources = {}
    for name in own:
        if name.startswith(ENCODER) or (name.startswith(DOCUMENTS) and apart):
            sources[name] = name
        elif name.startswith(DOCUMENTS):
            sources[name] = ENCODER + name.removeprefix(DOCUMENTS)
    return sources


def head_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is learnt over the encoders: all that is neither theirs nor a setting."""
    return {name: value for name, value in state.items() if not name.startswith(TOWERS) and name not in RUN_STATE}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _check_towers(
    sources: Mapping[str, str], own: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path
) -> None:
    """Reject a model that lacks weights of the encoders or has them in another shape."""
    here = _shapes(own)
    there = _shapes(given)
    wrong = [
        f"{name} is {there.get(source, 'missing')} there, {here[name]} here"
        for name, source in sources.items()
        if there.get(source) != here[name]
    ]
    if wrong or not sources:
        what = wrong[0] if wrong else "this architecture has no encoder"
        cure = "start from a run with the same encoder and encoder.layers"
        raise ConfigError(f"init_from={path} does not fit: {what}; {cure}")


def _told(own: Mapping[str, Tensor], given: Mapping[str, Tensor], towers: Mapping[str, str], head: int) -> str:
    """One line: how many tensors were taken, which stay as they start, and what of the given model is not used.

    `head` is how many of the head's were.
    """
    others = len(head_of(own)) - head
    settings = [name for name in own if name in RUN_STATE]

    # What comes over …
    both = any(name != source for name, source in towers.items())
    told = [f"{len(towers)} tensors of the encoder taken" + (", its own for both towers" if both else "")]
    if head:
        told.append(f"{head} of the head taken")
    if others:
        why = "which the text architecture lacks" if head else "as it is another head"
        told.append(f"{others} of the head left at their start, {why}")

    # … and what stays, here and there.
    if settings:
        told.append(f"{', '.join(settings)} left as this run sets them")
    unused = sorted(name for name in given if name.startswith(TOWERS) and name not in towers.values())
    if unused:
        told.append(f"{len(unused)} tensors there not used, {unused[0]} among them")
    return "; ".join(told)
