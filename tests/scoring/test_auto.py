"""`score_tokens: auto`: when a trial is made, what is kept of it, and that its outcome moves no score."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.candidate_set import CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.scoring import auto
from clir_lightning.scoring.auto import Tokens, attention_of, conditions, parts_for, settled
from clir_lightning.scoring.computing import CPU, Computing
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.trial import middle
from lightning.shares_for_tests import collection as shared_out
from lightning.shares_for_tests import prepared, together


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return Encoder(prepared(tmp_path))


def candidates(encoder: Encoder, texts: Collection | None = None, **settings: Any) -> CandidateSet:
    """Seven queries with three documents each: 21 pairs."""
    collection = texts or shared_out()
    kind = settings.pop("kind", PairBatches)
    made = CandidateSet(collection, "dev", CandidateLists(depth=3).run(collection, "dev", "val"), kind(**settings))
    made.tokenise(encoder.tokenizer)
    return made


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The trials that were made, each of which finds 2,048; 21 pairs are worth one."""
    made: list[Any] = []

    def trial(model: Any, rows: Any, sizes: Any, device: torch.device) -> dict[str, Any]:
        made.append((model.training, torch.is_inference_mode_enabled(), sizes, device))
        return {"tokens": 2048, "tokens_a_second": {"2048": 7}}

    monkeypatch.setattr(auto, "trial", trial)
    monkeypatch.setattr(auto, "WORTH", 21)
    return made


AT = Computing(CPU, "32-true")


def test_an_outcome_is_kept_and_found_again(encoder: Encoder, tmp_path: Path, tried: list[Any]) -> None:
    model, scored, cache = CrossEncoder(encoder), candidates(encoder), str(tmp_path / "cache")
    assert settled(model, AT, [scored], cache=cache) == Tokens(2048, "measured")
    assert tried == [(False, True, [1024, 2048, 4096, 8192, 16384], CPU)]
    assert model.training
    assert (scored.batches.score_tokens, scored.batches.workers) == (2048, 0)

    # Another process with the same model finds what was kept; with other conditions it tries anew.
    assert settled(model, AT, [candidates(encoder)], cache=cache) == Tokens(2048, "measured earlier")
    assert settled(model, Computing(CPU, "bf16-mixed"), [candidates(encoder)], cache=cache).origin == "measured"
    assert len(tried) == len(list((tmp_path / "cache" / "auto").iterdir())) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '"2048"',
        '{"tokens": 2048}',
        '{"about": {}, "tokens": 2048}',
        "tokens: 3",
        "tokens: null",
        b"\xff",
    ],
)
def test_a_damaged_outcome_is_measured_anew(
    encoder: Encoder, tmp_path: Path, tried: list[Any], content: str | bytes
) -> None:
    model, cache = CrossEncoder(encoder), str(tmp_path / "cache")
    settled(model, AT, [candidates(encoder)], cache=cache)
    (path,) = (tmp_path / "cache" / "auto").iterdir()
    kept = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content.startswith("tokens"):  # a number that is no size
        path.write_text(json.dumps({**kept, "tokens": json.loads(content[8:])}), encoding="utf-8")
    else:
        path.write_text(content, encoding="utf-8")
    assert settled(model, AT, [candidates(encoder)], cache=cache).origin == "measured"
    assert json.loads(path.read_text(encoding="utf-8")) == kept


def test_a_cache_that_cannot_be_written_ends_nothing(
    encoder: Encoder, tmp_path: Path, tried: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file in the folder's place", encoding="utf-8")
    for _ in range(2):
        found = settled(CrossEncoder(encoder), AT, [candidates(encoder)], cache=str(tmp_path / "cache"))
        assert found == Tokens(2048, "measured")
    assert "are measured again next time" in caplog.text
    assert len(tried) == 2


def test_nothing_is_tried_for_few_pairs_or_without_a_cache(
    encoder: Encoder, tmp_path: Path, tried: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CrossEncoder(encoder)
    assert settled(model, AT, [candidates(encoder)], cache=None) == Tokens(4096, "rule of thumb")
    monkeypatch.setattr(auto, "WORTH", 22)
    scored = candidates(encoder)
    assert settled(model, AT, [scored], cache=str(tmp_path)) == Tokens(4096, "rule of thumb")
    assert scored.batches.score_tokens == 4096
    assert settled(model, AT, [candidates(encoder), candidates(encoder)], cache=str(tmp_path)).origin == "measured"
    assert len(tried) == 1


def test_a_number_is_kept_as_it_is(encoder: Encoder, tmp_path: Path, tried: list[Any]) -> None:
    scored = candidates(encoder, score_tokens=77, workers=3)
    assert str(settled(CrossEncoder(encoder), AT, [scored], cache=str(tmp_path))) == (
        "77 tokens a scoring batch (as set)"
    )
    assert (scored.batches.score_tokens, scored.batches.workers, tried) == (77, 3, [])


@pytest.mark.parametrize("setting", ["fast", 0])
def test_other_values_are_rejected(setting: Any) -> None:
    for name in ("score_tokens", "workers"):
        if (name, setting) != ("workers", 0):
            with pytest.raises(ConfigError, match=f"batches.{name} is {setting!r}; allowed"):
                PairBatches(**{name: setting})


def test_a_true_trial_of_either_kind_of_model_decides_on_a_size(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "WORTH", 1)
    monkeypatch.setattr(auto, "SIZES", {"cpu": [16, 32, 64]})
    made: list[tuple[Any, type]] = [(CrossEncoder(encoder), PairBatches), (DualEncoder(encoder), TextBatches)]
    for model, kind in made:
        state = torch.get_rng_state()
        found = settled(model, AT, [candidates(encoder, kind=kind)], cache=str(tmp_path))
        assert (found.number in (16, 32, 64), found.origin) == (True, "measured")
        assert torch.equal(torch.get_rng_state(), state)  # dropout of the training to come draws the same numbers
    rates = [json.loads(path.read_text())["tokens_a_second"] for path in (tmp_path / "auto").iterdir()]
    assert [list(each) for each in rates] == [["16", "32", "64"]] * 2


def test_the_middle_rows_have_the_median_length(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """21 pairs in 7 batches of 3, the longest first: the fourth has the median."""
    monkeypatch.setattr("clir_lightning.scoring.trial.ROWS", 3)
    scored = candidates(encoder)
    lengths = sorted(
        int(n) for query in scored.run for n in scored.dataset.pair_lengths(query, list(scored.run[query]))
    )
    assert middle(scored).attention_mask.sum(dim=1).tolist() == lengths[9:12][::-1]


def test_of_texts_the_documents_are_taken(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """7 documents make two batches of 4, 7 queries of equally many candidates two more, which have the middle."""
    monkeypatch.setattr("clir_lightning.scoring.trial.ROWS", 4)
    scored = candidates(encoder, kind=TextBatches)
    longest = sorted(scored.dataset.documents.lengths(np.arange(7)))[3:]
    assert middle(scored).attention_mask.sum(dim=1).tolist() == longest[::-1]


def test_sizes_move_scores_by_rounding_alone(encoder: Encoder) -> None:
    model = CrossEncoder(encoder)
    scores = []
    for tokens in (1, 40, 4096):
        scored = candidates(encoder)
        scored.batches = replace(scored.batches, score_tokens=tokens)
        scores.append(Engine(model, AT).score(scored.loader(), name="r"))
    for other in scores[1:]:
        for query in scores[0]:
            assert dict(other[query]) == pytest.approx(dict(scores[0][query]), abs=1e-5)


def test_conditions_tell_what_decides_a_size(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the weights lie, and what they are, decides nothing."""
    model, rows = CrossEncoder(encoder), middle(candidates(encoder))
    one = conditions(model, AT, rows)
    encoder.model.config._name_or_path = "elsewhere"
    assert conditions(model, AT, rows) == one
    json.dumps(one)
    changed: list[Callable[[], Any]] = [
        lambda: monkeypatch.setattr(torch, "get_num_threads", lambda: 99),
        lambda: monkeypatch.setattr(auto, "device_name", lambda _: "another"),
        lambda: setattr(encoder.model.config, "num_hidden_layers", 99),
        lambda: setattr(encoder, "unpadded", False),
    ]
    for change in changed:
        change()
        assert conditions(model, AT, rows) != one
        one = conditions(model, AT, rows)


def test_parts_and_attention_follow_the_encoder(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder.unpadded = True  # type: ignore[assignment]
    assert (parts_for("auto", encoder), attention_of(encoder)) == (1, "unpadded")
    padded = SimpleNamespace(model=SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa")))
    assert (parts_for("auto", padded), attention_of(padded), parts_for(3, padded)) == (4, "sdpa", 3)
    for processes, parts in ((2, 2), (3, 1), (8, 1)):
        monkeypatch.setattr(auto, "world", lambda processes=processes: (0, processes))
        assert (parts_for("auto", padded), parts_for(3, padded)) == (parts, 3)


def first_decides(rank: int, world: int, folder: Path) -> tuple[Tokens, int]:
    """Each process would find another number."""
    auto.WORTH = 1
    vars(auto)["trial"] = lambda *_: {"tokens": [1024, 16384][rank]}
    encoder = Encoder(str(folder / "encoder"))
    scored = candidates(encoder)
    found = settled(CrossEncoder(encoder), AT, [scored], cache=str(folder / f"cache{rank}"))
    return found, scored.batches.score_tokens  # type: ignore[return-value]


def test_of_several_processes_the_first_decides(tmp_path: Path) -> None:
    prepared(tmp_path)
    assert together(first_decides, 2, tmp_path) == [(Tokens(1024, "measured"), 1024)] * 2
    assert not (tmp_path / "cache1").exists()
