"""The geometry of query and document vectors: what a cone, a gap and a bias towards a language look like in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clir_lightning.types import Grades

SMALLEST = 1e-6  # share of the greatest variance below which a direction is left out of whitening


@dataclass(frozen=True, slots=True)
class Cosines:
    """Means and standard deviations of the cosines of all, positive and negative query–document pairs.

    `gap` is the positives' mean minus the negatives'; `auc` the chance that a positive pair's cosine is above a
    negative pair's.
    """

    random_mean: float
    random_deviation: float
    positive_mean: float
    positive_deviation: float
    negative_mean: float
    negative_deviation: float
    gap: float
    auc: float

    @classmethod
    def of(cls, together: Tensor, above: Tensor, below: Tensor) -> Cosines:
        """From the cosines `[Q, N]` of all pairs and those `[M]` of positive and of negative ones."""
        return cls(
            random_mean=float(together.mean()),
            random_deviation=float(together.std(correction=0)),
            positive_mean=float(above.mean()),
            positive_deviation=float(above.std(correction=0)),
            negative_mean=float(below.mean()),
            negative_deviation=float(below.std(correction=0)),
            gap=float(above.mean() - below.mean()),
            auc=area_under_curve(above, below),
        )


@dataclass(frozen=True, slots=True)
class Geometry:
    """The cosines of pairs, and how the vectors lie.

    The spectrum's values and `uniformity` are of queries and documents together, `alignment` of positive pairs.
    """

    cosines: Cosines
    effective_rank: float
    top_share: float
    uniformity: float
    alignment: float
    query_mean_norm: float
    document_mean_norm: float
    language_bias: float

    def rounded(self) -> dict[str, float]:
        """The values by name, those of the cosines first, to 4 decimals."""
        values = asdict(self)
        return {name: round(value, 4) for name, value in (values.pop("cosines") | values).items()}


def told_apart(
    lists: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Grades],
    queries: Mapping[str, int],
    documents: Mapping[str, int],
) -> tuple[Tensor, Tensor]:
    """Positive and negative pairs `[M, 2]` of a query's and a document's row, of each query's list.

    Positives are a list's best-graded documents, negatives its others; a list whose documents share a grade gives none.

    >>> told_apart({"q": ["a", "b"]}, {"q": {"b": 2}}, {"q": 0}, {"a": 5, "b": 7})
    (tensor([[0, 7]]), tensor([[0, 5]]))
    """
    positives: list[tuple[int, int]] = []
    negatives: list[tuple[int, int]] = []
    for query, listed in lists.items():
        grades = [qrels.get(query, {}).get(document, 0) for document in listed]
        if len(set(grades)) > 1:
            best = max(grades)
            for document, grade in zip(listed, grades, strict=True):
                (positives if grade == best else negatives).append((queries[query], documents[document]))
    return torch.tensor(positives).view(-1, 2), torch.tensor(negatives).view(-1, 2)


def area_under_curve(positives: Tensor, negatives: Tensor) -> float:
    """The chance that a random positive is above a random negative, equal ones counting half (Mann and Whitney).

    >>> area_under_curve(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))  # 3 pairs of 4 right, 1 equal
    0.875
    """
    ordered = negatives.double().sort().values
    values = positives.double()
    below = torch.searchsorted(ordered, values, right=False) + torch.searchsorted(ordered, values, right=True)
    return float(below.double().mean() / (2 * len(ordered)))


def effective_rank(vectors: Tensor) -> float:
    """exp of the entropy of the singular values' shares, of vectors `[N, P]` (Roy and Vetterli, 2007).

    >>> round(effective_rank(torch.eye(3)), 4), round(effective_rank(torch.ones(3, 2)), 4)
    (3.0, 1.0)
    """
    values = torch.linalg.svdvals(vectors.double())
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def top_share(vectors: Tensor) -> float:
    """The greatest squared singular value's share of all, of vectors `[N, P]`: 1 where all lie on one line.

    >>> top_share(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    0.9
    """
    values = torch.linalg.svdvals(vectors.double()).square()
    return round(float(values[0] / values.sum()), 12)


def alignment(queries: Tensor, positives: Tensor) -> Tensor:
    """Mean squared distance of pairs that belong together (Wang and Isola, 2020); vectors `[B, P]`.

    >>> alignment(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor(2.)
    """
    return (queries - positives).square().sum(dim=1).mean()


def uniformity(vectors: Tensor, t: float = 2.0) -> Tensor:
    """ln of the mean of exp(−t·‖x − y‖²) over distinct vectors `[N, P]` (Wang and Isola, 2020); lower is more even.

    A single vector has none to be apart from: 0, as where all lie on one point.

    >>> uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    tensor(-8.)
    """
    if len(vectors) < 2:
        return vectors.new_zeros(())
    pairs = len(vectors) * (len(vectors) - 1) / 2
    return torch.pdist(vectors).square().mul(-t).logsumexp(dim=0) - math.log(pairs)


def language_bias(queries: Tensor, documents: Tensor, neighbours: int = 10) -> float:
    """How much more often a query's nearest neighbours are queries than chance has it, from −chance to 1 − chance.

    Unit vectors `[Q, P]` and `[N, P]`; the pool mixes the other queries with as many documents, or fewer of both sides
    where one is short. 0: the language of a text does not decide who its neighbours are.

    >>> language_bias(torch.eye(4)[[0, 0, 0]], torch.eye(4)[[1, 1]], neighbours=2)  # only queries; chance is a half
    0.5
    """
    size = min(len(queries) - 1, len(documents))
    asked = queries[: size + 1]
    near = asked @ torch.cat([asked, documents[:size]]).T  # [S + 1, 2 S + 1]
    near[torch.arange(size + 1), torch.arange(size + 1)] = -torch.inf  # no text is a neighbour of itself
    nearest = near.topk(min(neighbours, 2 * size), dim=1).indices
    return float((nearest <= size).double().mean()) - 0.5


def geometry(queries: Tensor, documents: Tensor, positives: Tensor, negatives: Tensor) -> Geometry:
    """The geometry of vectors `[Q, P]` and `[N, P]`, which are made unit vectors.

    `positives` and `negatives` `[M, 2]` are pairs of a query's and a document's row; `random` is all Q·N pairs.
    """
    queries = normalize(queries.double(), dim=-1)
    documents = normalize(documents.double(), dim=-1)

    # [Q, N], and of it the cosines [M] of the pairs that are told apart.
    cosines = queries @ documents.T
    above, below = (cosines[pairs[:, 0], pairs[:, 1]] for pairs in (positives, negatives))

    # [Q + N, P]: the shape of the whole cloud.
    together = torch.cat([queries, documents])
    return Geometry(
        Cosines.of(cosines, above, below),
        effective_rank=effective_rank(together),
        top_share=top_share(together),
        uniformity=float(uniformity(together)),
        alignment=float(alignment(queries[positives[:, 0]], documents[positives[:, 1]])),
        query_mean_norm=float(queries.mean(dim=0).norm()),
        document_mean_norm=float(documents.mean(dim=0).norm()),
        language_bias=language_bias(queries, documents),
    )


def centred(vectors: Tensor, mean: Tensor) -> Tensor:
    """Vectors `[N, P]` minus `mean` `[P]`, as unit vectors.

    >>> centred(torch.tensor([[3.0, 1.0]]), torch.tensor([0.0, 1.0]))
    tensor([[1., 0.]])
    """
    return normalize(vectors - mean, dim=-1)


def whitening(vectors: Tensor) -> Tensor:
    """The map `[P, R]` under which centred vectors `[N, P]` have variance 1 in all of R directions, uncorrelated.

    Directions of (almost) no variance are left out, so that R < P for few vectors (Su et al., 2021).
    """
    values, directions = torch.linalg.eigh(vectors.double().T @ vectors.double() / len(vectors))
    kept = values > SMALLEST * values[-1]
    result: Tensor = directions[:, kept] / values[kept].sqrt()
    return result.to(vectors.dtype)


def meaning(before: Geometry, after: Geometry, width: int) -> list[str]:
    """What the numbers of vectors of `width` dimensions say, one sentence each; `after` is of the centred ones."""
    spectrum = (
        f"The vectors use about {before.effective_rank:.0f} of {width} directions; the first holds "
        f"{100 * before.top_share:.0f} % of their squared length."
    )
    sentences = [_on_cosines(before.cosines), spectrum]

    # A bias below this is what a few hundred texts show by chance.
    if before.language_bias > 0.1:
        own, centred_own = (100 * (shape.language_bias + 0.5) for shape in (before, after))
        sentences.append(
            f"In a pool of both languages {own:.0f} % of a query's neighbours are of its own, where 50 would be even; "
            f"{centred_own:.0f} % once each language's mean is subtracted (callbacks=[collapse,centring] trains so)."
        )
    return sentences


def _on_cosines(cosines: Cosines) -> str:
    random = f"A random query and document have a mean cosine of {cosines.random_mean:.2f}"
    order = f"a positive pair's cosine is above a negative pair's in {100 * cosines.auc:.0f} % of cases"
    if cosines.auc < 0.6:
        return f"{random}, and {order}, where chance has 50: these vectors hardly tell documents apart."
    if cosines.random_mean > 0.5:
        return f"{random}, yet {order}: a narrow cone, but order depends on differences alone."
    return f"{random}, and {order}."
