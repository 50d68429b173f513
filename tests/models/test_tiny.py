"""The tiny encoder: deterministic, trained on the collection's training texts, loadable by transformers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import ConfigError
from clir_lightning.models.tiny import TinyEncoder, cooccurrence_vectors


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_in_another_process(tmp_path: Path) -> None:
    """In another process, because the tokenizers library orders hash tables anew in each."""
    code = (
        "import sys, pathlib; from clir_lightning.data.sources.demo import build_demo;"
        "from clir_lightning.models.tiny import TinyEncoder;"
        "TinyEncoder(width=16, heads=2).prepare(build_demo(), 'train', pathlib.Path(sys.argv[1]), 3)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "one")], check=True)
    TinyEncoder(width=16, heads=2).prepare(build_demo(), "train", tmp_path / "two", 3)
    for file in ("tokenizer.json", "config.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_preparing_leaves_the_random_state_alone(collection: Collection, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path, seed=3)
    assert torch.equal(torch.rand(3), expected)


def test_transformers_loads_the_folder(collection: Collection, tmp_path: Path) -> None:
    folder = TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path, seed=3)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    encoded = tokenizer("法语", "тілі", return_tensors="pt")
    assert tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])[:4] == ["[CLS]", "▁法", "▁语", "[SEP]"]
    assert encoded["token_type_ids"][0].tolist()[:5] == [0, 0, 0, 0, 1]
    assert model(**encoded).last_hidden_state.shape[-1] == 16


def test_tokens_that_share_contexts_get_like_vectors() -> None:
    """Tokens 1 and 2 only ever occur together, and so do 3 and 4; 9 occurs nowhere."""
    contexts = [[1, 2, 5], [1, 2, 6], [3, 4, 5], [3, 4, 6], [7, 8, 5], [7, 8, 6]]
    vectors = cooccurrence_vectors(contexts, vocabulary=10, width=6)
    assert vectors[1] @ vectors[2] > 0.99
    assert vectors[3] @ vectors[4] > 0.99
    assert abs(vectors[1] @ vectors[3]) < 0.1
    assert np.all(vectors[9] == 0)


def test_attention_starts_at_the_identity(collection: Collection, tmp_path: Path) -> None:
    folder = TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path, seed=3)
    attention = AutoModel.from_pretrained(folder).encoder.layer[0].attention.self
    assert torch.equal(attention.query.weight, attention.key.weight)
    assert torch.allclose(attention.query.weight, 0.7 * torch.eye(16), atol=0.1)


def test_heads_share_the_width_evenly() -> None:
    TinyEncoder(width=126, heads=3)
    with pytest.raises(ConfigError, match=r"encoder\.heads is 4; allowed: a divisor of encoder.width, 127"):
        TinyEncoder(width=127)
