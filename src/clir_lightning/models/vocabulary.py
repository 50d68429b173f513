"""A tokenizer cut down to the pieces that given texts need: two thirds of a multilingual encoder are embeddings.

The pieces that stay keep their order, so that their rows of the embeddings are the rows they had and give the same
numbers. The texts tokenise as before (each kind of tokenizer, below, says why, and `check` looks); any other text still
does without new unknown tokens, into shorter pieces down to single characters.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clir_lightning.errors import ConfigError

Json = dict[str, Any]

BYTE = re.compile(r"<0x[0-9A-F]{2}>")  # how tokenizers that fall back on bytes write one
SETTING = "encoder.trim_vocabulary"
CURE = f"set {SETTING}=false"


def pieces(tokenizer: Json) -> dict[str, int]:
    """The model's pieces and their ids."""
    vocabulary = tokenizer["model"]["vocab"]
    if isinstance(vocabulary, list):
        return {piece: place for place, (piece, _) in enumerate(vocabulary)}
    return dict(vocabulary)


def kept_ids(tokenizer: Json, used: Iterable[int]) -> list[int]:
    """The ids, rising, of the pieces that stay where texts consist of those in `used`.

    Besides them special and other added tokens, single characters and bytes, and what their kind of tokenizer needs.

    Args:
        tokenizer: the content of a `tokenizer.json`, as the tokenizers library writes it.
        used: ids.

    Raises `ConfigError` for a kind of model that falls apart without some of its pieces.
    """
    model = tokenizer["model"]
    if model["type"] not in NEEDS:
        problem = f"{SETTING} is true, and the encoder's tokenizer is of the kind {model['type']}"
        raise ConfigError(f"{problem}; allowed: {', '.join(NEEDS)}; {CURE}")
    ids = pieces(tokenizer)
    kept = {token["id"] for token in tokenizer["added_tokens"]} | set(used)

    # Single characters: in the middle of a word, or at its end, some kinds of tokenizers mark them.
    before = model.get("continuing_subword_prefix") or ""
    behind = model.get("end_of_word_suffix") or ""
    for piece, place in ids.items():
        if len(piece.removeprefix(before).removesuffix(behind)) <= 1 or BYTE.fullmatch(piece):
            kept.add(place)
    if model.get("unk_token") in ids:
        kept.add(ids[model["unk_token"]])

    # What lets these, and only these, be found.
    return sorted(kept | NEEDS[model["type"]](model, ids, kept))


def _without_characters(ids: dict[str, int], split: Callable[[str], Iterable[str]], kept: set[int]) -> set[int]:
    """Pieces with a character that is no piece of its own: without them it would be unknown."""
    return {place for piece, place in ids.items() if any(ids.get(part) not in kept for part in split(piece))}


def _unigram_needs(model: Json, ids: dict[str, int], kept: set[int]) -> set[int]:
    """The least likely piece, which sets the score of an unknown character.

    The best segmentation stays the best when others, none of them as good, become impossible.
    """
    least = min(range(len(ids)), key=lambda place: model["vocab"][place][1])
    unknown = set() if model["unk_id"] is None else {model["unk_id"]}
    return {least, *unknown, *_without_characters(ids, list, kept)}


def _wordpiece_needs(model: Json, ids: dict[str, int], kept: set[int]) -> set[int]:
    """Nothing more: of the pieces that a word goes on with the longest is taken, and it stays."""
    mark = model["continuing_subword_prefix"]

    def split(piece: str) -> list[str]:
        letters = list(piece.removeprefix(mark))
        first = 0 if piece.startswith(mark) else 1
        return letters[:first] + [mark + letter for letter in letters[first:]]

    return _without_characters(ids, split, kept)


def _bpe_needs(model: Json, ids: dict[str, int], kept: set[int]) -> set[int]:
    """All that each kept piece is joined from, whichever way, and what those are joined from.

    Pairs are joined in the order of a list; each one that the texts needed is still there, and none is new.
    """
    # The pairs that each piece can be joined from.
    sources: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for left, right in model["merges"]:
        sources[_joined(model, left, right)].append((left, right))

    # From the kept pieces down.
    names = {place: piece for piece, place in ids.items()}
    found: set[str] = set()
    waiting = [names[place] for place in kept if place in names]
    while waiting:
        piece = waiting.pop()
        if piece not in found:
            found.add(piece)
            waiting += [part for pair in sources[piece] for part in pair]
    return {ids[piece] for piece in found}


NEEDS: dict[str, Callable[[Json, dict[str, int], set[int]], set[int]]] = {
    "Unigram": _unigram_needs,  # XLM-R
    "WordPiece": _wordpiece_needs,  # BERT
    "BPE": _bpe_needs,  # ModernBERT
}


def _joined(model: Json, left: str, right: str) -> str:
    return left + right.removeprefix(model.get("continuing_subword_prefix") or "")


def trimmed(tokenizer: Json, kept: Sequence[int]) -> Json:
    """The tokenizer with the pieces `kept` alone, which are numbered in their order; `tokenizer` stays as it is."""
    new = {old: place for place, old in enumerate(kept)}
    model = dict(tokenizer["model"])

    # The pieces, and the pairs of which both and what they make are left.
    ids = {piece: new[place] for piece, place in pieces(tokenizer).items() if place in new}
    if model["type"] == "Unigram":
        model["vocab"] = [entry for place, entry in enumerate(model["vocab"]) if place in new]
        model["unk_id"] = None if model["unk_id"] is None else new[model["unk_id"]]
    else:
        model["vocab"] = ids
    if model["type"] == "BPE":
        model["merges"] = [
            [left, right]
            for left, right in model["merges"]
            if left in ids and right in ids and _joined(model, left, right) in ids
        ]

    # Whatever else names a token by its number.
    padding = tokenizer["padding"]
    return {
        **tokenizer,
        "model": model,
        "added_tokens": [{**token, "id": new[token["id"]]} for token in tokenizer["added_tokens"]],
        "post_processor": _renumbered(tokenizer["post_processor"], new),
        "padding": padding and {**padding, "pad_id": new[padding["pad_id"]]},
    }


def _renumbered(processor: Any, new: dict[int, int]) -> Any:
    """A post-processor, or a part of one, with its tokens' new numbers."""
    if isinstance(processor, list):
        return [_renumbered(part, new) for part in processor]
    if not isinstance(processor, dict):
        return processor

    # Templates give the numbers of each token, the processors of BERT and RoBERTa name and number.
    numbers = {"ids": lambda ids: [new[place] for place in ids]}
    for name in ("cls", "sep"):
        numbers[name] = lambda token: [token[0], new[token[1]]]
    return {
        key: numbers[key](part) if key in numbers and isinstance(part, list) else _renumbered(part, new)
        for key, part in processor.items()
    }
