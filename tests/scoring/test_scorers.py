"""Documents before queries, each encoded by one process, and the same scores for any number of processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.data.batches.scoring import TextScoring
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.texts import Texts
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction, max_sim
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.scoring.scorers import OrderError, TextScorer
from clir_lightning.types import Run, Sample
from data.batches.test_texts import dataset
from lightning.shares_for_tests import QUERIES, collection, prepared, together
from models.fakes import TextTable
from scoring.passes import loader

NONE = torch.zeros(0, 0)


def rows(*texts: Sequence[int]) -> Texts:
    """Texts of these tokens, 0 behind their ends."""
    width = max(map(len, texts), default=0)
    ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts]).reshape(len(texts), width).long()
    return Texts(ids, (ids > 0).long(), None)


def documents(*texts: Sequence[int]) -> TextBatch:
    """A step of documents in the rows of their first tokens."""
    first = torch.tensor([text[0] for text in texts])
    return TextBatch(rows(), rows(*texts), first, NONE, NONE.long(), ())


def queries(*texts: Sequence[int], of: Sequence[Sequence[int]]) -> TextBatch:
    """A step of queries named by their first tokens, with documents in these rows."""
    samples = tuple(
        Sample(f"q{text[0]}", tuple(f"d{row}" for row in listed), (0,) * len(listed))
        for text, listed in zip(texts, of, strict=True)
    )
    return TextBatch(rows(*texts), rows(), torch.tensor(of).flatten(), NONE, NONE.long(), samples)


def test_queries_are_scored_against_kept_documents() -> None:
    model = TextTable()
    scorer = TextScorer(model, TokenBudget())
    with torch.no_grad():
        unit = torch.nn.functional.normalize(model.vectors, dim=-1)
        assert scorer(documents([11, 1], [12])).shape == (0, 0)
        assert scorer(documents([13])).shape == (0, 0)
        scores = scorer(queries([1], [2], of=[[13, 11], [11, 12]]))
        expected = torch.stack([unit[1] @ unit[[13, 11]].T, unit[2] @ unit[[11, 12]].T])
    assert torch.allclose(scores, expected, atol=1e-6)
    assert model.encoded == [("document", 2), ("document", 1), ("query", 2)]
    assert sorted(scorer.documents) == [11, 12, 13]
    assert torch.allclose(scorer.queries["q2"], unit[2])


def test_vectors_of_tokens_are_kept_to_a_texts_end() -> None:
    """The best product with a padding vector, 0, would be above all products of a text that lies far away."""
    model = TextTable(tokens=True)
    scorer = TextScorer(model, TokenBudget())
    with torch.no_grad():
        unit = torch.nn.functional.normalize(model.vectors, dim=-1)
        scorer(documents([11, 3, 4], [12]))
        scorer(queries([1, 5], [2], of=[[12], [11]]))
    assert {row: tuple(vectors.shape) for row, vectors in scorer.documents.items()} == {11: (3, 6), 12: (1, 6)}
    assert {name: tuple(vectors.shape) for name, vectors in scorer.queries.items()} == {"q1": (2, 6), "q2": (1, 6)}
    assert torch.equal(scorer.documents[11], unit[[11, 3, 4]].half().float())
    assert torch.allclose(scorer.queries["q1"], unit[[1, 5]])


@given(lengths=st.lists(st.integers(1, 5), min_size=3, max_size=7), few=st.integers(1, 400), tokens=st.booleans())
@settings(max_examples=40, deadline=None)
def test_scores_are_those_of_a_query_and_its_documents_alone(lengths: list[int], few: int, tokens: bool) -> None:
    """However many queries' documents are looked up together; those that the batches padded too."""
    model = TextTable(tokens=tokens)
    if tokens:
        model.similarity = max_sim  # type: ignore[method-assign]
    scorer = TextScorer(model, TokenBudget())
    texts = {10 + i: [10 + i, *range(1, length)] for i, length in enumerate(lengths)}
    asked = [[1, 5], [2], [3, 4, 6]]
    of = [[list(texts)[(i + step) % len(texts)] for step in range(3)] for i in range(len(asked))]
    with torch.no_grad(), pytest.MonkeyPatch.context() as patched:
        patched.setattr("clir_lightning.scoring.scorers.CELLS", few)
        for rows_together in (list(texts.values())[::2], list(texts.values())[1::2]):
            scorer(documents(*rows_together))
        found = scorer(queries(*asked, of=of))
        for i, query in enumerate(asked):
            for j, row in enumerate(of[i]):
                document = model.encode(rows(texts[row]), "document")
                document = document.half().float() if tokens else document
                alone = model.similarity(model.encode(rows(query), "query"), document)
                assert float(found[i, j]) == pytest.approx(float(alone), abs=1e-6)


def test_a_pass_in_another_order_is_rejected() -> None:
    scorer = TextScorer(TextTable(), TokenBudget())
    with torch.no_grad():
        scorer(documents([11], [12]))
        with pytest.raises(OrderError, match="query 'q1' is to be scored with document 'd13', which was not encoded"):
            scorer(queries([1], of=[[11, 13]]))
        scorer.reset()
        scorer(documents([11]))
        scorer(queries([1], of=[[11]]))
        with pytest.raises(OrderError, match="2 documents came after a query; a scoring pass encodes all documents"):
            scorer(documents([12], [13]))

        # Both in one batch are no better, and a new pass knows nothing of the one before.
        both = TextBatch(rows([1]), rows([11]), torch.tensor([11]), NONE, NONE.long(), ())
        scorer.reset()
        with pytest.raises(OrderError, match="1 documents come with queries"):
            scorer(both)
        with pytest.raises(OrderError, match="d11"):
            scorer(queries([1], of=[[11]]))


def few() -> tuple[Collection, Run]:
    """Two documents and two queries."""
    return collection(), Run({"q0": {"d0": 0.0, "d5": 0.0}, "q1": {"d5": 0.0, "d0": 0.0}})


def many() -> tuple[Collection, Run]:
    """Seven queries with one to four of seven documents, of which each is listed several times."""
    lists = {f"q{i}": [f"d{(i + step) % QUERIES}" for step in range(1 + i % 4)] for i in range(QUERIES)}
    return collection(), Run({query: dict.fromkeys(listed, 0.0) for query, listed in lists.items()})


def measure(rank: int, world: int, folder: Path) -> dict[str, Any]:
    """Of each architecture and list: the run, the rows and ids that are kept, and how many documents were encoded."""
    found = {}
    for late in (False, True):
        torch.manual_seed(0)
        encoder = Encoder(str(folder / "encoder"))
        model = LateInteraction(encoder, dimension=8) if late else DualEncoder(encoder, projection=12)
        engine = Engine(model)
        counts: list[int] = []
        encode = model.encode

        def counted(texts: Texts, side: Any, encode: Any = encode, counts: list[int] = counts) -> torch.Tensor:
            counts.append(len(texts) if side == "document" else 0)
            vectors: torch.Tensor = encode(texts, side)
            return vectors

        model.encode = counted  # type: ignore[method-assign]
        for lists in (many, few):
            made, run = dataset(lists()[0], encoder.tokenizer), lists()[1]
            steps = TextScoring(
                run, queries=made.queries, documents=made.documents, size=2, rank=rank, world_size=world
            )
            counts.clear()
            kept: list[Any] = []

            def forget(engine: Engine = engine, kept: list[Any] = kept) -> None:
                lengths = {row: tuple(vectors.shape) for row, vectors in engine.documents.items()}
                kept[:] = [lengths, sorted(engine.queries)]  # what is there at the end of the pass
                Engine.reset(engine)

            engine.reset = forget  # type: ignore[method-assign]
            scored = engine.score(loader(made, steps), name="r")
            found[f"{lists.__name__}, {late}"] = dict(scored), *kept, sum(counts)
            assert (engine.documents, engine.queries) == ({}, {})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_documents_and_score_alike(world: int, tmp_path: Path) -> None:
    """Of seven documents, two at a time, two processes encode 4 and 3, three 3, 2 and 2; of two the first both."""
    prepared(tmp_path)
    alone, everyone = measure(0, 1, tmp_path), together(measure, world, tmp_path)
    for name, (run, lengths, asked, count) in alone.items():
        assert count == len(lengths) == (QUERIES if "many" in name else 2)
        counts = [shared[name][3] for shared in everyone]
        batches = [min(2, count - start) for start in range(0, count, 2)]
        assert counts == [sum(batches[rank::world]) for rank in range(world)]
        assert sorted({query for shared in everyone for query in shared[name][2]}) == asked
        for shared in everyone:
            assert {query: list(scores) for query, scores in shared[name][0].items()} == {
                query: list(scores) for query, scores in everyone[0][name][0].items()
            }
            assert shared[name][0].keys() == run.keys()
            for query, scores in run.items():
                assert shared[name][0][query] == pytest.approx(scores, abs=1e-5), (name, query)
            assert shared[name][1] == lengths  # all vectors, to each text's own end
