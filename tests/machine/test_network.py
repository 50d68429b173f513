"""The hub as it is to be had, in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from huggingface_hub import constants

import hub_for_tests as hubs
from clir_lightning.machine import network
from clir_lightning.machine.facts import LOOK, Fact


@pytest.fixture(autouse=True)
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def found(monkeypatch: pytest.MonkeyPatch, address: str) -> Fact:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    with hubs.in_time(3.5):
        return next(network.hub()())


def test_a_mirror_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with hubs.serving({}) as (address, _):
        fact = found(monkeypatch, address)
    assert fact.value.startswith(f"{address} (HF_ENDPOINT) answered in ")
    assert fact.state == ""


@pytest.mark.slow
def test_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with hubs.silent() as address:
        fact = found(monkeypatch, address)
    assert fact.state == LOOK
    assert fact.value.endswith(
        "models come from folders and the cache; set HF_HUB_OFFLINE=1, or HF_ENDPOINT to a mirror"
    )
    with hubs.closed() as address:
        assert "cannot be reached (" in found(monkeypatch, address).value
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(30))
    assert " does not answer within 3 s; " in found(monkeypatch, "http://nowhere.invalid").value


def test_offline_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("models--xlm-roberta-base", "models--org--tiny", "datasets--other"):
        (tmp_path / name).mkdir()
    with hubs.serving({}) as (address, asked):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        assert list(network.hub()()) == [
            Fact("hub", "offline by HF_HUB_OFFLINE: models come from folders and the cache"),
            Fact("hub's cache", f"{tmp_path}, 2 models: org/tiny, xlm-roberta-base"),
        ]
        assert not asked


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert network.wandb() == Fact("W&B", "no key, runs are kept offline; wandb login")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert network.wandb() == Fact("W&B", "logged in")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert network.wandb() == Fact("W&B", "offline by WANDB_MODE")
