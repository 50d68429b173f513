"""What `make gpu-check` computes on: an XLM-R with random weights, and pairs of random tokens with usual lengths."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.types import Sample

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
WORDS = 4000
LONGEST = 256


@dataclass(frozen=True)
class Sizes:
    """Of the model, and how much is computed."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    vocabulary: int = 250002
    pairs: int = 16384  # scored in a timed run
    tokens: int = 65536  # in a scoring batch
    queries: int = 32  # with two documents each in a training step
    steps: int = 20
    runs: int = 3  # of each that is timed, in turns


LARGE = Sizes()
EXACT = Sizes(width=256, layers=4, heads=4, vocabulary=5000)  # for numbers that are compared
SMALL = Sizes(width=32, layers=2, heads=2, vocabulary=5000, pairs=24, tokens=2048, queries=2, steps=3, runs=1)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each word `w0`, `w1`, …, and XLM-R's special tokens around a text and a pair."""
    names = [*SPECIALS[:4], *(f"w{i}" for i in range(WORDS)), SPECIALS[4]]
    core = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    kinds = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIALS, strict=True))
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = fast(tokenizer_object=core, cls_token="<s>", sep_token="</s>", **kinds)
    return made


@lru_cache
def folder(sizes: Sizes) -> str:
    """A folder with such a model of one score and its tokenizer, as transformers and sentence-transformers read it."""
    made: Any = XLMRobertaConfig
    config = made(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=LONGEST + 258,
        type_vocab_size=1,
        num_labels=1,
        initializer_range=0.1,  # scores of random texts differ
    )
    torch.manual_seed(1)
    path = Path(tempfile.mkdtemp(prefix="clir-gpu-check-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    XLMRobertaForSequenceClassification(config).save_pretrained(path)
    tokenizer().save_pretrained(path)
    return str(path)


def lengths(count: int, seed: int = 1) -> NDArray[np.int64]:
    """Tokens of pairs `[N]`, 132 on average as those of sib-zh-kk, at most 256."""
    drawn = np.random.default_rng(seed).lognormal(np.log(125), 0.33, count)
    return np.clip(drawn, 24, LONGEST).astype(np.int64)


def texts(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Pairs of texts that have these lengths as tokens, a quarter of them the query's."""
    rng = np.random.default_rng(seed)
    pairs = []
    for length in lengths(count, seed).tolist():
        words = [f"w{word}" for word in rng.integers(0, WORDS, length - 4)]
        pairs.append((" ".join(words[: length // 4]), " ".join(words[length // 4 :])))
    return pairs


def batch(rows: Sequence[int], documents: int = 1, seed: int = 1) -> PairBatch:
    """Rows of these lengths, of queries with so many documents each, the first the better one."""
    rng = np.random.default_rng(seed)
    width = max(rows)
    inside = np.arange(width) < np.array(rows)[:, None]
    ids = np.where(inside, rng.integers(4, WORDS, (len(rows), width)), 1)
    ids[:, 0] = 0
    ids[np.arange(len(rows)), np.array(rows) - 1] = 2

    # A sample for each query.
    queries = len(rows) // documents
    grades = (1, *(0,) * (documents - 1))
    names = tuple(f"d{i}" for i in range(documents))
    samples = tuple(Sample(f"q{query}", names, grades) for query in range(queries))
    spans = torch.tensor([[1, length // 4] for length in rows])
    behind = torch.tensor([[length // 4 + 2, length - 1] for length in rows])
    return PairBatch(
        torch.from_numpy(ids),
        torch.from_numpy(inside.astype(np.int64)),
        None,
        torch.tensor([grades] * queries, dtype=torch.float),
        samples,
        query_spans=spans,
        document_spans=behind,
        lengths=tuple(rows),
    )


def scoring_batches(sizes: Sizes) -> list[PairBatch]:
    """The pairs of a timed run, the longest first, as many a batch as its tokens allow."""
    ordered = sorted(lengths(sizes.pairs).tolist(), reverse=True)
    batches: list[PairBatch] = []
    while ordered:
        size = max(1, sizes.tokens // ordered[0])
        batches.append(batch(ordered[:size], seed=len(batches)))
        ordered = ordered[size:]
    return batches


def training_batches(sizes: Sizes) -> list[PairBatch]:
    """Steps of queries with two documents each."""
    count = 2 * sizes.queries
    return [batch(lengths(count, seed).tolist(), documents=2, seed=seed) for seed in range(sizes.steps)]


def greatest_difference(one: Tensor, other: Tensor) -> float:
    """Between two tensors' numbers, wherever they lie."""
    return float((one.detach().float().cpu() - other.detach().float().cpu()).abs().max())
