"""Trained models as folders that sentence-transformers loads, written without it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import quietly
from clir_lightning.scoring.text_encoder import TextEncoder

MODES = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "weighted_mean": "weightedmean_tokens"}
SIDES: tuple[Side, ...] = ("query", "document")
IDENTITY = "torch.nn.modules.linear.Identity"


def export_dual(texts: TextEncoder, folder: Path) -> list[Path]:
    """Write a dual model as a SentenceTransformer; returns the folders.

    One folder serves both sides, with the prompts `query` and `document`. Where the sides differ in more than their
    prefixes (separate towers, mean vectors), each gets a folder of its own.
    """
    model = texts.model
    same = model.document_encoder is None and torch.equal(model.mean("query"), model.mean("document"))
    places: dict[Side, Path] = {side: folder if same else folder / side for side in SIDES}
    written = []
    for side in SIDES[: 1 if same else 2]:
        length = max(texts.lengths.values()) if same else texts.lengths[side]
        _write_side(model, side, places[side], texts.prefixes, length)
        written.append(places[side])
    return written


def _write_side(model: DualEncoder, side: Side, folder: Path, prompts: Mapping[Side, str], length: int) -> None:
    """Transformer, pooling and what follows it, each module in its folder."""
    # The modules behind the transformer: kind, settings and tensors.
    encoder = model.encoder if side == "query" or model.document_encoder is None else model.document_encoder
    _write_encoder(encoder, folder, length)
    parts: list[tuple[str, dict[str, Any], dict[str, Tensor]]] = [("Pooling", _pooling(model, encoder), {})]
    if model.projection is not None:
        parts.append(_dense(model.projection.weight, model.projection.bias))
    if model.cosine:
        parts.append(("Normalize", {}, {}))
    if bool(model.mean(side).any()):
        parts.append(_dense(torch.eye(model.width), -model.mean(side)))
        parts += [("Normalize", {}, {})] if model.cosine else []

    # Each in a folder of its own, listed in the order in which a text goes through them.
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    for number, (kind, settings, tensors) in enumerate(parts, start=1):
        path = f"{number}_{kind}"
        (folder / path).mkdir(exist_ok=True)
        _json(folder / path / "config.json", settings)
        if tensors:
            save_file(tensors, folder / path / "model.safetensors")
        kind = f"sentence_transformers.models.{kind}"
        modules.append({"idx": number, "name": str(number), "path": path, "type": kind})
    _json(folder / "modules.json", modules)

    # What a user's `encode` and `similarity` take by default.
    similarity = "cosine" if model.cosine else "dot"
    settings = {"prompts": dict(prompts), "default_prompt_name": None, "similarity_fn_name": similarity}
    _json(folder / "config_sentence_transformers.json", settings)


def _pooling(model: DualEncoder, encoder: Encoder) -> dict[str, Any]:
    modes = {f"pooling_mode_{mode}": name == model.pooling for name, mode in MODES.items()}
    return {"word_embedding_dimension": encoder.width, **modes, "include_prompt": True}


def _dense(weight: Tensor, bias: Tensor) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """A linear layer as a module: W `[out, in]`, b `[out]`."""
    outputs, inputs = weight.shape
    settings = {"in_features": inputs, "out_features": outputs, "bias": True, "activation_function": IDENTITY}
    tensors = {"linear.weight": weight, "linear.bias": bias}
    return "Dense", settings, {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _write_encoder(encoder: Encoder, folder: Path, length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with quietly():
        encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    _json(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def export_cross(model: CrossEncoder, folder: Path, length: int) -> None:
    """Write a cross model as a CrossEncoder that gives the raw scores.

    It can express heads over the first state that are as wide as the encoder, as the classification heads of BERT and
    (XLM-)RoBERTa are; raises `ConfigError` for all others.
    """
    encoder = model.encoder
    kind = encoder.model.config.model_type
    first = model.head[1]  # of dropout, linear, tanh, dropout, linear
    last = model.head[4]
    if model.pooling != "cls" or first.out_features != encoder.width:
        got = f"pooling {model.pooling} with a head {first.out_features} wide over an encoder {encoder.width} wide"
        raise ConfigError(f"{got} cannot be exported; allowed: architecture.pooling=cls and architecture.hidden=null")
    if kind not in ("bert", "roberta", "xlm-roberta"):
        raise ConfigError(f"a cross model over {kind} cannot be exported; allowed: bert, roberta, xlm-roberta")

    # The encoder's configuration with one label; two of its own would overrule the number.
    settings = encoder.model.config.to_dict()
    for names in ("id2label", "label2id"):
        settings.pop(names, None)
    config = type(encoder.model.config).from_dict({**settings, "num_labels": 1})
    config.sentence_transformers = {"activation_fn": IDENTITY}

    # A fresh classifier, filled with the encoder, all but BERT's pooler, which the head becomes, and with the head.
    auto: Any = AutoModelForSequenceClassification
    exported = auto.from_config(config)
    base = getattr(exported, exported.base_model_prefix)
    base.load_state_dict(encoder.model.state_dict(), strict=False)
    hidden, output = (
        (base.pooler.dense, exported.classifier)
        if kind == "bert"
        else (exported.classifier.dense, exported.classifier.out_proj)
    )
    hidden.load_state_dict(first.state_dict())
    output.load_state_dict(last.state_dict())

    # With the tokenizer, which cuts at the length of training.
    folder.mkdir(parents=True, exist_ok=True)
    with quietly():
        exported.save_pretrained(folder)
    encoder.tokenizer.model_max_length = length
    encoder.tokenizer.save_pretrained(folder)
