"""Training without the command line: the parts of `clir train`, put together by hand.

    python examples/train_from_python.py 300

trains a small cross-encoder on the demo for so many steps and prints its measures on unseen queries.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl

import clir_lightning as clir
from clir_lightning.data import BestAgainstRandom, CandidateLists, PairBatches, RankingDataModule
from clir_lightning.lightning import Optimisation, PairModule
from clir_lightning.losses import RankingLoss, SoftmaxHinge
from clir_lightning.models import CrossEncoder, Encoder, TinyEncoder
from clir_lightning.scoring import Computing, Engine


def train(losses: Mapping[str, RankingLoss], steps: int, queries: int = 20) -> clir.Evaluation:
    """Train on the demo with these losses; returns the measures of the first so many test queries."""
    pl.seed_everything(1, verbose=False)

    # What is learnt from: samples of the best document against one of grade 0, queries and documents as one text.
    data = RankingDataModule(
        clir.load_collection("demo"),
        PairBatches(max_length=64, size=16),
        sampling=BestAgainstRandom(negatives=1),
        candidates=CandidateLists(test_queries=queries),
    )

    # The model: an encoder from scratch, which knows the collection's tokens, and a head over its first state.
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder(TinyEncoder().prepare(data.collection, "train", Path(folder), seed=1))
    data.tokenise(encoder.tokenizer)
    model = CrossEncoder(encoder, dropout=0.0)

    # The training is Lightning's: any trainer, callback or logger of yours fits in.
    module = PairModule(model, losses, optimisation=Optimisation(learning_rate=1e-3))
    trainer = pl.Trainer(
        max_steps=steps,
        limit_val_batches=0,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
    )
    trainer.fit(module, data)

    # The engine scores the candidates as `clir evaluate` does.
    candidates = data.candidates["test"]
    run = Engine(model, Computing()).score(candidates.loader(), name="cross")
    return clir.evaluate(run, candidates.qrels)


if __name__ == "__main__":
    result = train({"hinge": SoftmaxHinge()}, steps=int(sys.argv[1]) if sys.argv[1:] else 30)
    for measure, value in result.means.items():
        print(f"{measure:8} {100 * value:5.1f}")
