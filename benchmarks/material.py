"""What competitors work on: the settings that all parts share, pairs of a collection, and models with equal weights."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.turns import OURS, say
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertForSequenceClassification

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.types import Run

CLIR = (OURS, "-c", "from clir_lightning.cli import main; main()")

# A model as training begins with: so small a step moves no weight.
UNTRAINED = (
    *("optimizer.learning_rate=1e-30", "encoder.frozen=0", "trainer.max_epochs=1", "+trainer.limit_train_batches=1"),
    *("batches.size=2", "candidates.val_queries=1", "candidates.test_queries=1", "candidates.depth=2"),
)


def settings(description: str | None) -> argparse.ArgumentParser:
    """The options that every part has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sib-zh-kk"), help="in the CLIRMatrix layout")
    parser.add_argument("--encoder", default="xlm-roberta-base", help="a Hugging Face name or folder")
    parser.add_argument("--output", type=Path, default=Path("outputs/bench"), help="the folder of the report")
    parser.add_argument("--turns", type=int, default=3)
    return parser


def collection(data: Path) -> Collection:
    """The collection, prepared once."""
    return read_clirmatrix(
        str(data), query_language="zh", document_language="kk", cache=str(Path("~/.cache/clir_lightning").expanduser())
    )


def lists(given: Collection, queries: int, depth: int) -> Run:
    """Candidates of so many test queries; the relevant ones are among them."""
    return CandidateLists(depth=depth, test_queries=queries).run(given, "test1", "test")


def write_pairs(given: Collection, run: Run, file: Path) -> int:
    """One pair of texts a line, in the order of the run; how many."""
    queries = given.split("test1").queries
    rows = [
        {"query": query, "document": document, "texts": [queries[query].text, given.documents[document].text]}
        for query in run
        for document in run[query]
    ]
    write_rows(rows, file)
    return len(rows)


def write_rows(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """One object a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_pairs(file: Path) -> list[dict[str, Any]]:
    """What `write_pairs` or `write_rows` wrote."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def cross_rows(data: RankingDataModule, epochs: int, samples: int) -> list[dict[str, Any]]:
    """The pairs of so many samples of every epoch, in training order; 1 for relevant documents and 0 for others."""
    queries = data.collection.split("train").queries
    documents = data.collection.documents
    return [
        {"query": queries[sample.query_id].text, "document": documents[name].text, "label": float(grade > 0)}
        for epoch in range(epochs)
        for sample in data.training.samples(epoch)[:samples]
        for name, grade in zip(sample.document_ids, sample.grades, strict=True)
    ]


def dual_rows(data: RankingDataModule, epochs: int, samples: int | None) -> list[dict[str, Any]]:
    """The same samples as a query, its positive and its negative, with E5's prefixes."""
    queries = data.collection.split("train").queries
    documents = data.collection.documents
    return [
        {
            "anchor": f"query: {queries[sample.query_id].text}",
            "positive": f"passage: {documents[sample.document_ids[0]].text}",
            "negative": f"passage: {documents[sample.document_ids[1]].text}",
        }
        for epoch in range(epochs)
        for sample in data.training.samples(epoch)[:samples]
    ]


def training_data(
    given: Collection, sampling: Sampling, *, depth: int = 2, queries: int | None = 1, seed: int = 1
) -> RankingDataModule:
    """What `clir train` draws its samples from; `depth` candidates of so many test queries."""
    tested = CandidateLists(depth=depth, test_queries=queries)
    return RankingDataModule(given, PairBatches(), sampling=sampling, candidates=tested, seed=seed)


def untrained(given: argparse.Namespace, name: str, *options: str) -> Path:
    """The model folder of an architecture over the encoder, its head drawn by seed 1; made once."""
    folder: Path = given.output / "models" / name
    if not (folder / "model").is_dir():
        say(f"making {folder}")
        data = ("data=clirmatrix", f"data.path={given.data.resolve()}", "seed=1")
        encoder = ("encoder=hf", f"encoder.name={given.encoder}")
        command = [*CLIR, "train", *data, *options, *encoder, *UNTRAINED, f"hydra.run.dir={folder.resolve()}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[3:])}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return folder / "model"


def as_sequence_classifier(model: Path, encoder: str, folder: Path) -> Path:
    """Our cross-encoder as `BertForSequenceClassification`, whose pooler and classifier are our head; made once.

    Args:
        model: a model folder of `architecture=cross` over an encoder of BERT's family.
        encoder: the encoder's name or folder, for its tokenizer.
        folder: where to.
    """
    if not (folder / "config.json").is_file():
        weights = load_file(model / "model.safetensors")
        names = {"head.1.": "bert.pooler.dense.", "head.4.": "classifier.", "encoder.model.": "bert."}
        renamed = {}
        for name, value in weights.items():
            old = next(start for start in names if name.startswith(start))
            renamed[names[old] + name.removeprefix(old)] = value

        # transformers' own class writes what its own `from_pretrained` reads.
        peer: Any = BertForSequenceClassification.from_pretrained(encoder, num_labels=1, dtype=torch.float32)
        peer.load_state_dict(renamed)
        peer.save_pretrained(folder)
        _write_tokenizer(encoder, folder)
    return folder


def _write_tokenizer(encoder: str, folder: Path) -> None:
    """The tokenizer in the form that transformers 4 reads too, which the peers' back ends need."""
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": min(tokenizer.model_max_length, 512),
        "model_input_names": tokenizer.model_input_names,
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def flops(tokens: NDArray[np.int64] | Sequence[int], config: Any) -> float:
    """Floating-point operations per row: its linear layers, 2 per weight and token, and its attention's products."""
    lengths = np.asarray(tokens, dtype=np.float64)
    width = config.hidden_size
    inner = config.intermediate_size
    linear = 2 * lengths * (4 * width**2 + 2 * width * inner)
    attention = 4 * lengths**2 * width
    return float(config.num_hidden_layers * (linear + attention).mean())
