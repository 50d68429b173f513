"""The contrastive losses against torch's own functions and loops in NumPy, masks against columns picked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, triplet_margin_loss

from clir_lightning.errors import ConfigError
from clir_lightning.losses.contrast import Contrast
from clir_lightning.losses.contrastive import (
    AlignmentUniformity,
    CoSENT,
    CosineHinge,
    InfoNCE,
    Triplet,
    cosent,
    cosine_hinge,
    info_nce,
    triplet,
)
from clir_lightning.losses.loss import VectorLoss
from clir_lightning.losses.needs import check_samples
from clir_lightning.types import Sample

QUERIES, DOCUMENTS, SIZE = 4, 3, 5
SCALE = 7.0


def unit(*shape: int, seed: int) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=draws, dtype=torch.double), dim=-1)


def dot(queries: Tensor, documents: Tensor) -> Tensor:
    return queries @ documents.T


def contrast(mine: slice = slice(0, QUERIES), **changed: Any) -> Contrast:
    """Four queries with a positive and two others each, twelve documents that are nobody else's."""
    queries, documents = unit(QUERIES, SIZE, seed=1), unit(QUERIES * DOCUMENTS, SIZE, seed=2)
    columns = torch.arange(QUERIES * DOCUMENTS).view(QUERIES, DOCUMENTS)
    similarities = dot(queries, documents)
    values: dict[str, Any] = {
        "similarity": dot,
        "similarities": similarities[mine],
        "paired": similarities.gather(1, columns),
        "mine": mine,
        "rows": 10 + torch.arange(QUERIES * DOCUMENTS),
        "relevant": 10 + columns[:, :1],
        "grades": torch.tensor([[6.0, 3.0, 0.0]]).expand(QUERIES, DOCUMENTS),
        "scale": torch.tensor(SCALE, dtype=torch.double),
        "queries": queries,
        "documents": documents,
    }
    return Contrast(**{**values, **changed})


def test_info_nce_is_the_cross_entropy_of_the_allowed_columns() -> None:
    logits = torch.randn(3, 6, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    positives = torch.tensor([4, 0, 2])
    every = torch.ones(3, 6, dtype=torch.bool)
    assert torch.allclose(info_nce(logits, positives, every), cross_entropy(logits, positives, reduction="none"))
    some = every.clone()
    some[0, [1, 3]] = False
    kept = logits[:1, [0, 2, 4, 5]]
    assert torch.allclose(info_nce(logits, positives, some)[:1], cross_entropy(kept, torch.tensor([2])))
    some[0, 4] = False  # the positive itself always counts
    assert torch.allclose(info_nce(logits, positives, some)[:1], cross_entropy(kept, torch.tensor([2])))


def test_infonce_sets_the_positive_against_the_whole_step() -> None:
    step = contrast()
    logits = SCALE * dot(step.queries, step.documents)
    expected = cross_entropy(logits, torch.tensor([0, 3, 6, 9]), reduction="none")
    assert torch.allclose(InfoNCE()(step), expected)


def test_infonce_without_in_batch_negatives_sees_a_querys_own_documents_alone() -> None:
    step = contrast()
    own = SCALE * torch.stack([dot(step.queries[i : i + 1], step.documents[3 * i : 3 * i + 3])[0] for i in range(4)])
    expected = cross_entropy(own, torch.zeros(4, dtype=torch.long), reduction="none")
    assert torch.allclose(InfoNCE(in_batch=False)(step), expected)


def test_symmetric_infonce_is_the_mean_of_both_directions() -> None:
    step = contrast()
    logits = SCALE * dot(step.queries, step.documents)
    there = cross_entropy(logits, torch.tensor([0, 3, 6, 9]), reduction="none")
    back = cross_entropy(logits[:, [0, 3, 6, 9]].T, torch.arange(4), reduction="none")
    assert not torch.allclose(there, back)
    assert torch.allclose(InfoNCE(symmetric=True)(step), (there + back) / 2)


def test_documents_relevant_to_a_query_are_never_its_negatives() -> None:
    """Query 0 has query 2's positive (column 6) and its own second document (column 1) among its relevant ones.

    Column 1 stays, since its grade is lower. Column 6 goes, and query 0 is nothing that the positive of query 2 must be
    far from. Query 1's two first documents have one grade: the second is not a negative of it.
    """
    relevant = torch.tensor([[10, 16, 11], [13, -1, -1], [16, -1, -1], [19, -1, -1]])
    grades = torch.tensor([[6.0, 3.0, 0.0], [6.0, 6.0, 0.0], [6.0, 3.0, 0.0], [6.0, 3.0, 0.0]])
    step = contrast(relevant=relevant, grades=grades)
    allowed = torch.ones(4, 12, dtype=torch.bool)
    allowed[0, 6] = allowed[1, 4] = False
    assert step.allowed.tolist() == allowed.tolist()
    assert step.positives.tolist() == [0, 3, 6, 9]

    logits = SCALE * dot(step.queries, step.documents)
    first = cross_entropy(logits[:1, [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]], torch.tensor([0]))
    second = cross_entropy(logits[1:2, [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]], torch.tensor([3]))
    assert torch.allclose(InfoNCE()(step)[:2], torch.stack([first, second]))

    there = cross_entropy(logits[2:3], torch.tensor([6]))
    back = cross_entropy(logits[1:, 6][None], torch.tensor([1]))  # query 2 is the second of those that remain
    assert torch.allclose(InfoNCE(symmetric=True)(step)[2], (there + back) / 2)


@pytest.mark.parametrize(
    "loss", [InfoNCE(), InfoNCE(symmetric=True), InfoNCE(in_batch=False), CosineHinge(), Triplet()]
)
def test_a_process_takes_the_losses_of_its_own_queries(loss: torch.nn.Module) -> None:
    relevant = torch.tensor([[10, 16], [13, 22], [16, 19], [19, -1]])
    whole = loss(contrast(relevant=relevant))
    assert len(set(whole.tolist())) == QUERIES
    assert torch.allclose(loss(contrast(slice(1, 3), relevant=relevant)), whole[1:3])
    assert loss(contrast(slice(2, 2), relevant=relevant)).shape == (0,)


@pytest.mark.parametrize("loss", [CoSENT(), AlignmentUniformity()])
def test_losses_of_the_step_are_the_same_in_every_process(loss: torch.nn.Module) -> None:
    assert loss(contrast(slice(1, 3))) == loss(contrast())
    assert loss(contrast(slice(2, 2))) == loss(contrast())


def test_cosine_hinge_is_the_mean_over_negatives() -> None:
    similarities = dot(unit(1, SIZE, seed=4), unit(6, SIZE, seed=5)).expand(2, 6).clone()
    similarities[1] = similarities[1].flip(0)
    expected = [np.mean([max(0.0, 0.5 - row[0] + negative) for negative in row[1:]]) for row in similarities.numpy()]
    assert min(expected) > 0
    assert cosine_hinge(similarities).tolist() == pytest.approx(expected)
    step = contrast()
    assert torch.allclose(CosineHinge(margin=0.9)(step), cosine_hinge(step.paired, 0.9))
    assert not torch.allclose(CosineHinge(margin=0.9)(step), CosineHinge()(step))


def test_triplet_is_torchs_on_unit_vectors() -> None:
    step = contrast()
    documents = step.documents.view(QUERIES, DOCUMENTS, SIZE)
    losses = [
        triplet_margin_loss(step.queries, documents[:, 0], documents[:, i], margin=0.4, eps=0.0, reduction="none")
        for i in (1, 2)
    ]
    expected = torch.stack(losses).mean(dim=0)
    assert float(expected.max()) > 0.1
    assert torch.allclose(Triplet(margin=0.4)(step), expected)
    assert torch.allclose(triplet(step.paired, 0.4), expected)


def test_equal_vectors_have_a_finite_gradient() -> None:
    similarities = torch.ones(1, 2, requires_grad=True)
    triplet(similarities).sum().backward()  # type: ignore[no-untyped-call]
    assert similarities.grad is not None
    assert bool(similarities.grad.isfinite().all())


def test_cosent_compares_all_pairs_of_the_step() -> None:
    step = contrast(grades=torch.tensor([[6.0, 3.0, 0.0], [6.0, 0.0, 0.0], [2.0, 1.0, 0.0], [6.0, 6.0, 0.0]]))
    similarities, grades = step.paired.numpy().ravel(), step.grades.numpy().ravel()
    terms = [
        np.exp(SCALE * (worse - better))
        for better, high in zip(similarities, grades, strict=True)
        for worse, low in zip(similarities, grades, strict=True)
        if high > low
    ]
    assert len(terms) > 4 * 3  # pairs across queries among them
    assert float(CoSENT()(step)) == pytest.approx(np.log(1 + np.sum(terms)))


def test_cosent_is_low_where_the_order_is_right() -> None:
    grades = torch.tensor([[1.0, 0.0]])
    assert float(cosent(torch.tensor([[0.9, 0.1]]), grades)) == pytest.approx(np.log1p(np.exp(-16.0)), abs=1e-6)
    assert float(cosent(torch.tensor([[0.1, 0.9]]), grades)) == pytest.approx(np.log1p(np.exp(16.0)))
    assert float(cosent(torch.tensor([[0.1, 0.9]]), torch.ones(1, 2))) == 0.0  # nothing to order


def test_alignment_and_uniformity_are_those_of_loops() -> None:
    step = contrast()
    queries, documents = step.queries.numpy(), step.documents.numpy()
    near = np.mean([((query - documents[3 * i]) ** 2).sum() for i, query in enumerate(queries)])

    def even(vectors: Any) -> float:
        apart = [((x - y) ** 2).sum() for i, x in enumerate(vectors) for y in vectors[:i]]
        return float(np.log(np.mean(np.exp(-2 * np.array(apart)))))

    expected = 0.3 * near + 2.0 * (even(queries) + even(documents)) / 2
    assert float(AlignmentUniformity(alignment=0.3, uniformity=2.0)(step)) == pytest.approx(expected)
    default = near + 0.5 * (even(queries) + even(documents)) / 2
    assert float(AlignmentUniformity()(step)) == pytest.approx(default)


def test_a_step_of_one_query_has_a_uniformity_that_is_a_number() -> None:
    """One query has no other to be apart from, and counts 0; its two documents' squared distance is 2."""
    query, documents = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    grades, mine = torch.tensor([[1.0, 0.0]]), slice(0, 1)
    step = contrast(queries=query, documents=documents, grades=grades, mine=mine)
    assert float(AlignmentUniformity()(step)) == pytest.approx(0.5 * (0 + -4) / 2)


def test_the_temperature_scales_infonce_and_cosent_alone() -> None:
    one, other = contrast(), contrast(scale=torch.tensor(2.0))
    for without in (CosineHinge(), Triplet(), AlignmentUniformity()):
        assert torch.equal(without(one), without(other))
    for loss in (InfoNCE(), InfoNCE(symmetric=True), CoSENT()):
        assert not torch.allclose(loss(one), loss(other))


class Graded:
    """Labels for losses that read any."""

    grades = torch.tensor([[6.0, 3.0, 0.0]]).expand(QUERIES, DOCUMENTS)
    teacher = None


def test_the_weight_is_a_factor_and_pairs_are_rejected() -> None:
    for loss, half in ((InfoNCE(), InfoNCE(weight=0.5)), (CoSENT(), CoSENT(weight=0.5))):
        assert torch.allclose(half.of_vectors(contrast(), Graded()), 0.5 * loss(contrast()))
    with pytest.raises(ConfigError, match="loss InfoNCE needs vectors; use architecture=dual or architecture=late"):
        InfoNCE().of_scores(torch.zeros(QUERIES, DOCUMENTS), Graded())


def test_samples_without_negatives_are_rejected_where_there_are_no_others() -> None:
    alone, alike = [Sample("q", ("a",), (6,))], [Sample("q", ("a", "b"), (6, 6))]
    enough: list[VectorLoss] = [InfoNCE(), InfoNCE(in_batch=False, symmetric=True), AlignmentUniformity()]
    for loss in enough:  # other queries' texts are the negatives
        check_samples({"it": loss}, alone)
    for loss in (InfoNCE(in_batch=False), CosineHinge(), Triplet(), CoSENT()):
        with pytest.raises(ConfigError, match="loss it needs 2 or more documents per query, got 1"):
            check_samples({"it": loss}, alone)
        with pytest.raises(ConfigError, match="loss it needs documents of different grades in a sample"):
            check_samples({"it": loss}, alike)
