"""`DualModule`: masks, cached gradients, gradients over two processes, candidates' scores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed
from torch.multiprocessing.spawn import spawn

from clir_lightning.data.batching import Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.separate import Encode, Rank, SeparateDataset
from clir_lightning.lightning.dual_module import DualModule
from clir_lightning.lightning.gathering import gather_rows
from clir_lightning.losses.contrastive import InfoNCE
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample
from data.test_separate import dataset

SAMPLES = [Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("b", "d"), (6, 0))]


@pytest.fixture
def encoder(collection: Collection, tmp_path: Path) -> Encoder:
    maker = TinyEncoder(vocabulary=120, width=16, heads=2, layers=2, dropout=0.1)
    torch.manual_seed(0)
    return Encoder(maker.prepare(collection, "train", tmp_path / "e", seed=3))


def texts(collection: Collection, encoder: Encoder) -> SeparateDataset:
    return dataset(collection, encoder.tokenizer)


def test_relevant_documents_of_other_queries_are_no_negatives(collection: Collection, encoder: Encoder) -> None:
    """a is q1's positive and has grade 3 for q2, so q2 must not push it away, nor b's second copy."""
    module = DualModule(DualEncoder(encoder, dimensions=[8]), {"infonce": InfoNCE()})
    whole, short = module.contrasts(texts(collection, encoder)[Step(SAMPLES)])
    # columns: a b | b d
    assert whole.allowed.tolist() == [[True, True, True, True], [False, False, True, True]]
    assert whole.positives.tolist() == [0, 2]
    assert short.queries.shape == (2, 8)
    assert torch.allclose(short.queries.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("late", [False, True])
def test_cached_gradients_are_equal(collection: Collection, encoder: Encoder, late: bool) -> None:
    encoder.model.eval()  # no dropout: a chunk draws other masks than a whole batch
    model = LateInteraction(encoder, dimension=8) if late else DualEncoder(encoder, learn_temperature=True)
    found = []
    for chunk, parts in ((None, 1), (1, 1), (None, 2)):
        module = DualModule(model, {"infonce": InfoNCE(symmetric=True)}, chunk=chunk, parts=parts)
        module.zero_grad()
        contrast = module.contrasts(texts(collection, encoder)[Step(SAMPLES)])[0]
        loss: torch.Tensor = module.losses["infonce"](contrast).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() == found[2].keys()
    assert max(float(gradient.abs().max()) for gradient in found[0].values()) > 1e-3
    for name, gradient in found[0].items():
        assert torch.allclose(gradient, found[1][name], atol=1e-5), name
        assert torch.allclose(gradient, found[2][name], atol=1e-5), name


@pytest.mark.parametrize("late", [False, True])
def test_candidates_score_as_they_do_alone(collection: Collection, encoder: Encoder, late: bool) -> None:
    model = LateInteraction(encoder, dimension=8) if late else DualEncoder(encoder)
    module = DualModule(model, {}).eval()
    made = texts(collection, encoder)
    with torch.no_grad():
        rows = made.documents.table.index.rows(["a", "b", "d"])
        assert module.validation_step(made[Encode(rows)], 0).numel() == 0
        scores = module.validation_step(made[Rank([Sample("q1", ("d", "a"), (0, 0))])], 1)
        query = model.encode(made[Step(SAMPLES)].queries, "query")[:1]
        alone = [model.encode(made[Encode(rows[[i]])].documents, "document") for i in (2, 0)]
        expected = torch.cat([model.similarity(query, document) for document in alone], dim=1)
    assert torch.allclose(scores, expected, atol=1e-5)


def share(rank: int, address: str) -> None:
    """Process 0 has one row, process 1 two; the losses are 1 and 2 times the sum of all rows."""
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    x = [torch.tensor([[1.0]]), torch.tensor([[2.0], [3.0]])][rank].requires_grad_()
    everything = gather_rows(x)
    assert everything.flatten().tolist() == [1.0, 0.0, 2.0, 3.0]
    torch.autograd.backward(everything.sum() * (rank + 1))
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [3.0] * len(x)  # 1 from process 0's loss, 2 from process 1's
    torch.distributed.destroy_process_group()


def test_gradients_come_back_from_every_process(tmp_path: Path) -> None:
    spawn(share, (f"file://{tmp_path}/meet",), nprocs=2)  # type: ignore[no-untyped-call]
