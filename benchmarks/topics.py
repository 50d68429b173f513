"""Topics beside TopMost's: `python benchmarks/topics.py [--topics 20 --epochs 20 --seeds 1 2 3]`.

Both read the same bags of words of the demo's documents and, for models that take them, the same vectors, on one
thread. ProdLDA is TopMost's own; ours is the same model through an encoder's vectors, without queries (ZeroShotTM).
Coherence and diversity are measured by one function on both. Without TopMost (`pip install topmost`) ours stands alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytorch_lightning as pl
import torch

from clir_lightning.data.sources.demo import build_demo
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.retrieval.analysis import choose
from clir_lightning.scoring.computing import Computing
from clir_lightning.topics.encoding import identity, mean_pooled, vectors_of
from clir_lightning.topics.learning import Material, SideTexts
from clir_lightning.topics.measures import coherence, diversity
from clir_lightning.topics.report import OF_DIVERSITY, strongest
from clir_lightning.topics.words import WordLimits


def demo() -> SideTexts:
    """The demo's documents, with vectors of its tiny encoder."""
    collection = build_demo()
    with tempfile.TemporaryDirectory() as folder:
        TinyEncoder().prepare(collection, "train", Path(folder), seed=1)
        encoder = mean_pooled(
            Encoder(folder), {"query": "", "document": ""}, {"query": 64, "document": 256}, Computing()
        )
    analyser = choose("auto", "kk", lucene=False).tokens
    assert analyser is not None
    vectors = vectors_of(encoder, collection.documents, "document", key=identity(encoder))
    return SideTexts.of(collection.documents.values(), vectors, analyser, WordLimits(), "documents")


def ours(texts: SideTexts, topics: int, epochs: int) -> np.ndarray:
    """Logits of each topic's words `[K, V]`."""
    material = Material({"document": texts}, queries=False)
    model, _ = material.model(centre=True, topics=topics, alpha=0.1, learning_rate=5e-3)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", enable_model_summary=False, **quiet)  # type: ignore[arg-type]
    material.learn(model, trainer, size=64, pairs=2, seed=1)
    found: np.ndarray = model.words("document").numpy()
    return found


def topmost(texts: SideTexts, topics: int, epochs: int) -> np.ndarray:
    """TopMost's ProdLDA on the same bags of words: weights of each topic's words `[K, V]`."""
    import topmost as peer

    class Bags:
        """What TopMost's trainer asks of a data set."""

        vocab: ClassVar[list[str]] = list(texts.vocabulary.words)
        vocab_size = len(texts.vocabulary)
        train_data: Any = torch.from_numpy(texts.counts.toarray())
        train_dataloader: Any = torch.utils.data.DataLoader(train_data, batch_size=64, shuffle=True)

    model: Any = peer.ProdLDA(Bags.vocab_size, num_topics=topics)
    trainer: Any = peer.BasicTrainer(model, Bags(), epochs=epochs, learning_rate=5e-3, batch_size=64)
    trainer.train()
    return np.asarray(model.get_beta().detach())


def main(arguments: Iterable[str] | None = None) -> None:
    """Train both, by turns, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args(None if arguments is None else list(arguments))
    torch.set_num_threads(1)
    texts = demo()
    tools = {"clir_lightning": ours, "topmost": topmost}
    if importlib.util.find_spec("topmost") is None:
        print("topmost is not installed: pip install topmost; ours stands alone")
        del tools["topmost"]
    for seed in options.seeds:
        for name, learn in tools.items():
            pl.seed_everything(seed, verbose=False)
            start = time.perf_counter()
            words = strongest(learn(texts, options.topics, options.epochs), texts.vocabulary, OF_DIVERSITY)
            seconds = time.perf_counter() - start
            npmi = coherence([topic[:10] for topic in words], texts.words).mean()
            print(f"{name:15s} seed {seed}: NPMI {npmi:+.3f}, diversity {diversity(words):.2f}, {seconds:.1f} s")


if __name__ == "__main__":
    main()
