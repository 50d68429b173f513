"""Candidate lists and their batches, alone."""

from typing import Any

import pytest

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.candidate_set import CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run
from data.tokenizers_for_tests import bert_like


@pytest.mark.parametrize("batches", [PairBatches(), TextBatches()], ids=["pairs", "texts"])
def test_scoring_reads_nothing_of_training(batches: Batches, collection: Collection) -> None:
    """No split `train`, no file of negatives, no run file of the other stage."""
    scored = Collection("scored", collection.documents, {"test1": collection.splits["test1"]})
    run = CandidateLists(val="gone.trec").run(scored, "test1", "test")
    candidates = CandidateSet(scored, "test1", run, batches)
    with pytest.raises(RuntimeError, match="call tokenise"):
        candidates.loader()
    candidates.tokenise(bert_like())
    found = {(s.query_id, d) for batch in candidates.loader() for s in batch.samples for d in s.document_ids}
    assert found == {("q3", document) for document in run["q3"]}
    assert candidates.qrels == {"q3": dict(collection.splits["test1"].qrels["q3"])}


@pytest.mark.parametrize("batches", [PairBatches(), TextBatches()], ids=["pairs", "texts"])
def test_any_run_can_be_scored_and_no_other_query_is(batches: Batches) -> None:
    """Three processes' shares are all pairs; a text's tokens are read of the queries of the run alone."""
    demo = build_demo()
    first, second = sorted(demo.splits["dev"].queries)[:2]
    some = sorted(demo.documents)[:3]
    run = Run({second: dict.fromkeys(some, 0.0), first: {some[0]: 0.0}})
    candidates = CandidateSet(demo, "dev", run, batches)
    candidates.tokenise(bert_like())
    assert list(candidates.split.queries) == list(candidates.qrels) == [second, first]
    found = {
        (sample.query_id, document)
        for rank in range(3)
        for batch in candidates.loader(rank=rank, world_size=3)
        for sample in batch.samples
        for document in sample.document_ids
    }
    assert found == {(second, some[0]), (second, some[1]), (second, some[2]), (first, some[0])}


def test_each_stage_has_its_own_limit(collection: Collection) -> None:
    demo = build_demo()
    lists = CandidateLists(depth=4, val_queries=2, test_queries=3)
    assert [len(lists.run(demo, "dev", stage)) for stage in ("val", "test")] == [2, 3]
    assert {len(documents) for documents in lists.run(demo, "dev", "val").values()} == {4}
    for name in ("depth", "val_queries", "test_queries"):
        given: Any = {name: 0}
        with pytest.raises(ConfigError, match=rf"candidates\.{name} is 0; allowed: 1 or more"):
            CandidateLists(**given)
    with pytest.raises(ConfigError, match="stage is 'tets'; allowed: val, test; did you mean 'test'"):
        lists.run(demo, "dev", "tets")
