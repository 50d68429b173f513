"""`make gpu-check` as far as a CPU goes: its table, faults that stay in their lines, what each line computes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from benchmarks.gpu_cards import CARDS, together
from benchmarks.gpu_check import Line, Machine, Outcome, Skipped, at_least, at_most, found, line, main, run, table
from benchmarks.gpu_material import LONGEST, SMALL, batch, folder, lengths, scoring_batches, texts, tokenizer
from benchmarks.gpu_paths import PATHS
from benchmarks.gpu_speed import SPEEDS, _against

import program  # noqa: F401  its server has torch and the like imported: processes start within a second
from benchmarks import gpu_check
from clir_lightning.models.encoder import Encoder

CPU = Machine(torch.device("cpu"), cards=2, sizes=SMALL)


def fails(machine: Machine) -> Outcome:
    raise RuntimeError("first line\nsecond line")


def skips(machine: Machine) -> Outcome:
    raise Skipped("no flash-attn")


CHECKS = {
    "good": lambda machine: at_most(1e-6, 1e-5),
    "bad": lambda machine: at_most(1e-4, 1e-5),
    "not a number": lambda machine: at_most(math.nan, 1e-5),
    "broken": fails,
    "left out": skips,
    "slow": lambda machine: at_least(2857, 2858, " pairs/s"),
    "told": lambda machine: found(12.5, " pairs/s"),
}


def test_an_error_is_a_line_of_its_own_and_the_others_go_on() -> None:
    lines = run(CHECKS, CPU)
    assert [(each.name, each.state, each.figure, each.limit) for each in lines] == [
        ("good", "OK", "1e-06", "<= 1e-05"),
        ("bad", "FAIL", "0.0001", "<= 1e-05"),
        ("not a number", "FAIL", "nan", "<= 1e-05"),
        ("broken", "FAIL", "RuntimeError: first line", ""),
        ("left out", "SKIP", "no flash-attn", ""),
        ("slow", "FAIL", "2857 pairs/s", ">= 2858 pairs/s"),
        ("told", "OK", "12.5 pairs/s", ""),
    ]


def test_no_check_begins_when_the_time_is_up() -> None:
    assert [each.state for each in run(CHECKS, CPU, seconds=-1)] == ["SKIP"] * len(CHECKS)


def test_the_table_has_a_row_for_each_line() -> None:
    rows = table([Line("a", "OK", "1", "<= 2", 0.04), Line("b", "SKIP", "no", "", 0.0)]).splitlines()
    assert rows[2:] == ["| a | OK | 1 | <= 2 | 0.0 |", "| b | SKIP | no |  | 0.0 |"]


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().out == "make gpu-check: no GPU here, nothing to check\n"


@pytest.mark.parametrize(("kept", "code"), [(True, 0), (False, 1)])
def test_a_line_that_failed_is_in_the_exit_code(
    kept: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "a GPU")
    monkeypatch.setattr(gpu_check, "run", lambda checks, machine: [line("x", lambda _: Outcome("1", "2", kept), CPU)])
    assert main() == code
    assert f"| x | {'OK' if kept else 'FAIL'} | 1 | 2 |" in capsys.readouterr().out


def test_the_pairs_are_as_long_as_those_of_the_collection() -> None:
    drawn = lengths(20000)
    assert abs(drawn.mean() - 132) < 3
    assert 24 <= drawn.min() < drawn.max() == LONGEST


def test_texts_have_the_tokens_that_they_are_drawn_for() -> None:
    pairs = texts(5)
    encoded = tokenizer()([query for query, _ in pairs], [document for _, document in pairs])["input_ids"]
    assert [len(ids) for ids in encoded] == lengths(5).tolist()


def test_a_batch_is_padded_to_the_right_and_knows_its_lengths() -> None:
    rows = batch([7, 5, 6, 4], documents=2)
    assert rows.attention_mask.sum(dim=1).tolist() == [7, 5, 6, 4] == list(rows.lengths)
    assert rows.input_ids[1].tolist()[4:] == [2, 1, 1]
    assert rows.grades.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_all_pairs_are_scored_the_longest_first() -> None:
    batches = scoring_batches(SMALL)
    sizes = np.concatenate([each.lengths for each in batches])
    assert sizes.tolist() == sorted(lengths(SMALL.pairs).tolist(), reverse=True)
    assert max(each.cells for each in batches) <= SMALL.tokens


def test_the_model_is_one_that_our_encoder_reads() -> None:
    encoder = Encoder(folder(SMALL))
    assert (encoder.width, encoder.depth, encoder.pad_id) == (SMALL.width, SMALL.layers, 1)


NEEDS_A_GPU = ("torch, bf16", "flash-attn", "int8", "pinned", "waits")


@pytest.mark.slow
@pytest.mark.parametrize("name", PATHS)
def test_every_path_is_computed_or_left_out_with_a_reason(name: str) -> None:
    outcome = line(name, PATHS[name], CPU)
    left_out = any(part in name for part in NEEDS_A_GPU)
    assert outcome.state == ("SKIP" if left_out else "OK"), outcome


@pytest.mark.parametrize("name", SPEEDS)
def test_every_speed_is_measured(name: str) -> None:
    outcome = line(name, SPEEDS[name], CPU)
    if "flash-attn" in name:
        assert outcome.state == "SKIP"
    else:
        assert "pairs/s" in outcome.figure, outcome


def test_ours_must_be_as_fast_as_theirs() -> None:
    assert _against(300, 200) == Outcome("300 to 200 pairs/s, x 1.50", ">= x 1", True)
    assert not _against(199, 200).kept


@pytest.mark.slow
def test_two_processes_gather_and_share_out_a_step() -> None:
    for name, check in CARDS.items():
        outcome = line(name, check, CPU)
        assert outcome.state == "OK", outcome


def test_a_step_over_two_cards_is_left_out_where_there_is_one() -> None:
    one = dataclasses.replace(CPU, cards=1)
    assert line("ddp", CARDS["NCCL: a step of two cards or more (DDP)"], one).figure == "needs 2 GPUs, there is 1"


def lost(rank: int, machine: Machine, device: torch.device) -> None:
    raise ValueError("lost")


def test_a_process_that_fails_is_a_line_too() -> None:
    one = dataclasses.replace(CPU, cards=1)

    def check(machine: Machine) -> Outcome:
        together(lost, machine)
        return found(0)

    assert line("lost", check, one).state == "FAIL"
