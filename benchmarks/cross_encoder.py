"""sentence-transformers' cross-encoder beside ours: `python benchmarks/cross_encoder.py FOLDER ENCODER --output OUT`.

`CrossEncoderTrainer` on the same collection (CLIRMatrix layout), encoder, sampled pairs, epochs, pairs per step, cut of
texts, learning rate and warm-up as a `clir train` run; scores the same candidates and writes `OUT/runs/test.trec` with
its qrels, for `clir compare`, and `OUT/metrics.json` with training pairs/s. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_qrels, write_run
from clir_lightning.data.sampling.judged import BestAgainstRandom, Listwise
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Run


def settings() -> argparse.Namespace:
    """The command's settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a collection in the CLIRMatrix layout")
    parser.add_argument("encoder", help="a Hugging Face name or folder")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=2, help="a query; 2 for the original pairs, more for lists")
    parser.add_argument("--batches", type=int, default=50, help="steps of an epoch")
    parser.add_argument("--batch", type=int, default=64, help="pairs per step")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--queries", type=int, default=None, help="of the test split; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="as trainer.precision=auto where that is bfloat16")
    parser.add_argument("--frozen-embeddings", action="store_true", help="as encoder.frozen=0")
    return parser.parse_args()


def examples(data: RankingDataModule, given: argparse.Namespace) -> Dataset:
    """The pairs of every epoch end to end, in training order, with 1 for relevant documents and 0 for others."""
    split, documents = data.collection.split("train"), data.collection.documents
    rows: dict[str, list[str] | list[float]] = {"query": [], "document": [], "label": []}
    for epoch in range(given.epochs):
        for sample in data.training.samples(epoch)[: given.batches * given.batch // given.documents]:
            for document, grade in zip(sample.document_ids, sample.grades, strict=True):
                rows["query"].append(split.queries[sample.query_id].text)  # type: ignore[arg-type]
                rows["document"].append(documents[document].text)  # type: ignore[arg-type]
                rows["label"].append(float(grade > 0))  # type: ignore[arg-type]
    return Dataset.from_dict(rows)


def main() -> None:
    """Train, score, write."""
    given = settings()
    torch.manual_seed(given.seed)
    collection = read_clirmatrix(given.folder, query_language="zh", document_language="kk")
    sampling: Sampling = BestAgainstRandom() if given.documents == 2 else Listwise(given.documents)
    data = RankingDataModule(
        collection,
        PairBatches(),
        sampling=sampling,
        candidates=CandidateLists(depth=given.depth, test_queries=given.queries),
        seed=given.seed,
    )
    model = CrossEncoder(given.encoder, num_labels=1, max_length=given.max_length)
    if given.frozen_embeddings:
        model.model.base_model.embeddings.requires_grad_(False)
    pairs = examples(data, given)
    trainer = CrossEncoderTrainer(
        model=model,
        args=CrossEncoderTrainingArguments(
            output_dir=str(given.output / "trainer"),
            num_train_epochs=1,  # the epochs stand one behind the other
            per_device_train_batch_size=given.batch,
            learning_rate=given.learning_rate,
            warmup_steps=0.1,  # a share
            seed=given.seed,
            bf16=given.bf16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=pairs,
        loss=BinaryCrossEntropyLoss(model),
    )
    start = time.perf_counter()
    trainer.train()
    trained = time.perf_counter() - start

    test, texts = data.candidates["test"].run, collection.documents
    queries = collection.split("test1").queries
    wanted = [(query, document) for query in test for document in test[query]]
    start = time.perf_counter()
    with torch.autocast(model.device.type, torch.bfloat16, enabled=given.bf16):
        scores = model.predict([(queries[q].text, texts[d].text) for q, d in wanted], batch_size=128)
    scored = time.perf_counter() - start
    by_query: dict[str, dict[str, float]] = {}
    for (query, document), score in zip(wanted, scores.tolist(), strict=True):
        by_query.setdefault(query, {})[document] = score
    run, qrels = Run(by_query, name="sentence-transformers"), data.candidates["test"].qrels
    (given.output / "runs").mkdir(parents=True, exist_ok=True)
    write_run(run, given.output / "runs" / "test.trec")
    write_qrels(qrels, given.output / "runs" / "test.qrels")
    speeds = {"training_pairs_per_second": len(pairs) / trained, "scoring_pairs_per_second": len(wanted) / scored}
    result = {**evaluate(run, qrels).means, **speeds}
    (given.output / "metrics.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
