"""Worker, of the other tools' interpreter: what `our_scoring` measures, by sentence-transformers or as the original.

    python -m benchmarks.peer_scoring MODEL PAIRS --kind torch --precision bfloat16 --scores FILE [--texts]

`--kind`: `torch`, `onnx`, `openvino` and `openvino_int8` are sentence-transformers' back ends; `original` pads every
pair to 256 tokens, takes 32 at a time as they come, and softmax over two classes, as the original project scores.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.worker import peak, rate, serve

WARM = 64  # pairs or texts before the first turn
LENGTH = 256
KINDS = ("torch", "onnx", "openvino", "openvino_int8", "original")
QUANTISED = "openvino_model_int8.xml"


def main() -> None:
    """Load, warm up, measure in turns; what was computed is kept in `--scores`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="torch")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--prepare", action="store_true", help="only make the models of the back ends")
    parser.add_argument("--texts", action="store_true", help="encode the documents")
    parser.add_argument("--first", type=int, help="only so many of the pairs")
    given = parser.parse_args()
    if given.prepare:
        exported(given.model, "onnx", "model.onnx")
        exported(given.model, "openvino", "openvino_model.xml")
        quantised(given)
        return
    rows = [json.loads(line)["texts"] for line in given.pairs.read_text(encoding="utf-8").splitlines()][: given.first]
    work: Any = original(given) if given.kind == "original" else texts(given) if given.texts else pairs(given)
    work(rows[:WARM])
    found: list[Any] = []

    def measure() -> dict[str, Any]:
        found.clear()
        speed = rate(len(rows), lambda: found.append(work(rows)))
        np.save(given.scores, np.asarray(found[0], dtype=np.float32))
        return {"rate": speed, "memory": peak()}

    serve(measure)


def options(given: argparse.Namespace) -> dict[str, Any]:
    """What a back end and a precision are chosen by, as its documentation says."""
    place: dict[str, Any] = {"device": "cuda" if torch.cuda.is_available() else "cpu"}
    if given.kind == "torch":
        return {**place, "model_kwargs": {"torch_dtype": given.precision}}
    if given.kind == "onnx":
        return {**place, "backend": "onnx", "model_kwargs": {"provider": "CPUExecutionProvider"}}

    # OpenVINO computes in bfloat16 by itself where the hardware has it.
    hint = {"float32": "f32", "bfloat16": "bf16"}[given.precision]
    chosen: dict[str, Any] = {"ov_config": {"INFERENCE_PRECISION_HINT": hint}}
    if given.kind == "openvino_int8":
        chosen["file_name"] = QUANTISED
    return {**place, "backend": "openvino", "model_kwargs": chosen}


def exported(model: Path, backend: str, name: str) -> Path:
    """The model in a back end's own format, as sentence-transformers exports it; made once, in the model's folder."""
    file = model / backend / name
    if not file.is_file():
        from sentence_transformers import CrossEncoder

        made = model.with_name(f"{model.name}_{backend}")
        CrossEncoder(str(model), backend=backend).save_pretrained(str(made))
        shutil.copytree(made / backend, file.parent)
        shutil.rmtree(made)
    return file


def pairs(given: argparse.Namespace) -> Any:
    """`CrossEncoder.predict` with its own settings, before the sigmoid."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(given.model), max_length=LENGTH, **options(given))
    plain = torch.nn.Identity()
    return lambda rows: model.predict(rows, activation_fn=plain, show_progress_bar=False)


def texts(given: argparse.Namespace) -> Any:
    """`SentenceTransformer.encode` of the documents with its own settings: mean pooling, E5's prefix, unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    chosen = options(given)
    backend = chosen.pop("backend", "torch")
    encoder = Transformer(str(given.model), max_seq_length=128, backend=backend, model_args=chosen["model_kwargs"])
    width = encoder.get_word_embedding_dimension()
    model = SentenceTransformer(modules=[encoder, Pooling(width, pooling_mode="mean"), Normalize()], device="cpu")
    return lambda rows: model.encode([f"passage: {row[1]}" for row in rows], show_progress_bar=False)


def original(given: argparse.Namespace) -> Any:
    """The original project's way; the logarithm of the odds of its second class, which is the score."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(given.model)
    model = AutoModelForSequenceClassification.from_pretrained(given.model, dtype=torch.float32).eval()

    def score(rows: list[list[str]]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(rows), 32):
            queries, documents = zip(*rows[start : start + 32], strict=True)
            batch = tokenizer(
                *map(list, (queries, documents)),
                padding="max_length",
                truncation=True,
                max_length=LENGTH,
                return_tensors="pt",
            )
            with torch.no_grad():
                logits = model(**batch).logits
            chances = torch.softmax(torch.cat([torch.zeros_like(logits), logits], dim=1).double(), dim=1)
            found += (chances[:, 1] / chances[:, 0]).log().tolist()
        return found

    return score


def quantised(given: argparse.Namespace) -> Path:
    """The OpenVINO model in int8 by NNCF's post-training quantisation, calibrated on other pairs' texts; made once."""
    file: Path = given.model / "openvino" / QUANTISED
    if not file.is_file():
        import nncf
        import openvino
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(given.model)
        model = openvino.Core().read_model(given.model / "openvino" / "openvino_model.xml")

        # Queries beside documents of other queries: nothing that is scored here is calibrated on.
        lines = given.pairs.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line)["texts"] for line in lines]
        mixed = [(rows[place][0], rows[-1 - place][1]) for place in range(0, len(rows), max(1, len(rows) // 100))]
        names = {name for inputs in model.inputs for name in inputs.get_names()}
        encoded = [tokenizer(*pair, truncation=True, max_length=LENGTH, return_tensors="np") for pair in mixed]
        given_ids = [{"token_type_ids": np.zeros_like(row["input_ids"]), **row} for row in encoded]
        calibration = nncf.Dataset([{name: row[name] for name in row if name in names} for row in given_ids])
        smaller = nncf.quantize(model, calibration, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(encoded))
        openvino.save_model(smaller, file, compress_to_fp16=False)
    return file


if __name__ == "__main__":
    main()
