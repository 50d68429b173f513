"""Which devices a job's processes run on, by the trainer's settings and simulated numbers of GPUs."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch import processes
from clir_lightning.jobs.launch.devices import cards, count, of_job


@pytest.mark.parametrize(
    ("settings", "available", "expected"),
    [
        ({"devices": 2, "accelerator": "cpu"}, 4, None),
        ({"devices": 2, "accelerator": "auto"}, 0, None),
        ({"devices": 2, "accelerator": "mps"}, 4, None),
        ({"devices": 2, "accelerator": "auto"}, 4, [0, 1]),
        ({"devices": "2", "accelerator": "gpu"}, 4, [0, 1]),
        ({"devices": [0, 3], "accelerator": "auto"}, 4, [0, 3]),
        (OmegaConf.create({"devices": [3, 1], "accelerator": "cuda"}), 4, [3, 1]),
        ({"devices": "0,3"}, 4, [0, 3]),
        ({"devices": "3,"}, 4, [3]),
        ({"devices": "auto"}, 3, [0, 1, 2]),
        ({"devices": -1}, 3, [0, 1, 2]),
        ({}, 3, [0]),
    ],
)
def test_gpus_are_those_that_the_settings_name(settings: Any, available: int, expected: list[int] | None) -> None:
    assert cards(settings, available) == expected


def test_processes_are_counted() -> None:
    assert count({"devices": "2", "accelerator": "cpu"}, 4) == 2
    assert count({"devices": "auto", "accelerator": "cpu"}, 4) == 1
    assert count({"devices": [1, 2, 3]}, 4) == 3
    assert count({"devices": "0,3"}, 4) == 2
    assert count({"devices": [1, 2, 3]}, 0) == 3
    assert count({"devices": "auto"}, 2) == 2
    assert count({"devices": 1}, 8) == 1


def test_gpus_that_are_not_there_are_rejected_before_processes_start() -> None:
    allowed = "allowed: 1 to 2 GPUs, or a list of their numbers, 0 to 1"
    with pytest.raises(ConfigError, match=rf"trainer.devices is \[0, 3\], but this machine has no GPU 3; {allowed}"):
        count({"devices": [0, 3]}, 2)
    with pytest.raises(ConfigError, match=r"trainer.devices is 3, but this machine has no GPU 2"):
        count({"devices": 3}, 2)
    with pytest.raises(ConfigError, match=r"trainer.devices is 'both'; allowed: a number, a list of GPUs' numbers"):
        count({"devices": "both"}, 0)


def test_jobs_of_one_gpu_take_turns_and_those_on_the_cpu_need_not() -> None:
    assert [of_job({"devices": 1}, number, 2) for number in range(3)] == [[0], [1], [0]]
    assert of_job({"devices": "1"}, 3, 2) == [1]
    assert of_job({"devices": 1, "accelerator": "cpu"}, 1, 2) == 1
    assert of_job({"devices": 2}, 1, 2) == 2
    assert of_job({"devices": [1]}, 0, 2) == [1]
    assert of_job({"devices": 1}, 1, 1) == 1
    assert of_job({"devices": 1}, None, 2) == 1


@pytest.mark.parametrize(
    ("settings", "backend", "opened"),
    [
        ({"devices": 2, "accelerator": "cpu"}, "gloo", []),
        ({"devices": 2, "accelerator": "auto"}, "nccl", [1]),
        ({"devices": [0, 3], "accelerator": "auto"}, "nccl", [3]),
        ({"devices": "2,0", "accelerator": "gpu"}, "nccl", [0]),
    ],
)
def test_a_machine_with_gpus_uses_those_asked_for_alone(
    settings: dict[str, Any], backend: str, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second process of two on a machine that seems to have four GPUs."""
    found: dict[str, Any] = {"opened": []}

    def join(name: str, timeout: timedelta) -> None:
        found["backend"] = name

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", found["opened"].append)
    monkeypatch.setattr(torch.distributed, "init_process_group", join)
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "NODE_RANK": "0"}.items():
        monkeypatch.setitem(os.environ, name, value)
    hydra = OmegaConf.create({"overrides": {"hydra": ["hydra.run.dir='out'"]}})
    monkeypatch.setattr(HydraConfig, "get", lambda: hydra)
    processes._connect(cards(settings, torch.cuda.device_count()))
    assert found == {"backend": backend, "opened": opened}
