"""Cores, memory and GPUs as this process may use them, and Java."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from clir_lightning import limits
from clir_lightning.errors import ConfigError
from clir_lightning.machine import hardware
from clir_lightning.machine.facts import LOOK, Fact
from clir_lightning.retrieval.java import Java


def test_cores_that_may_not_be_used_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(limits, "cpu_limit", lambda: 2.0)
    monkeypatch.setattr(hardware, "model", lambda: "Xeon, amx_bf16")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told = "2 usable of 64 (affinity and the control group's limit), Xeon, amx_bf16"
    assert hardware.processors() == Fact("cores", told)
    monkeypatch.setattr(limits, "cpu_limit", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    told = "8 usable of 64 (affinity; OMP_NUM_THREADS=4), Xeon, amx_bf16"
    assert hardware.processors() == Fact("cores", told)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert hardware.processors() == Fact("cores", "64, Xeon, amx_bf16")


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Path, "read_text", lambda *_, **__: "MemTotal:  64000000 kB\nMemFree: 1 kB\nMemAvailable:   5000000 kB\n"
    )
    monkeypatch.setattr(limits, "memory_limit", lambda: None)
    assert hardware.memory() == Fact("memory", "66 GB, 5.1 GB free")
    monkeypatch.setattr(limits, "memory_limit", lambda: 8_000_000_000)
    assert hardware.memory() == Fact("memory", "8.0 GB usable of 66 GB (the control group's limit)")


def test_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "_driver", lambda: "")
    assert list(hardware.gpus()) == [Fact("GPU", "none (torch is built for CPUs)")]

    # A driver without a torch for it.
    monkeypatch.setattr(hardware, "_driver", lambda: "550.54")
    [fact] = hardware.gpus()
    assert fact.state == LOOK
    assert fact.value.startswith("driver 550.54, but torch sees none: torch is built for CPUs; install the torch of")

    # Two of them.
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    properties = SimpleNamespace(name="NVIDIA H100", total_memory=85_000_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (80_000_000_000, 85_000_000_000))
    told = "NVIDIA H100, 85 GB, 80 GB free; driver 550.54, torch is built for CUDA 12.8"
    assert list(hardware.gpus()) == [Fact("GPU 0", told), Fact("GPU 1", told)]


def test_what_auto_comes_to_is_asked_of_who_decides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("clir_lightning.scoring.precision._cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    precision, scoring = hardware.decided()
    assert precision == Fact("precision", "training 32-true, scoring 32-true, on cpu (auto)")
    assert scoring.value == "4,096 tokens a batch until a trial says better, 0 workers, 3 threads"
    monkeypatch.setattr("clir_lightning.scoring.precision._cpu_has_bfloat16", lambda: True)
    assert next(hardware.decided()).value == "training bf16-mixed, scoring bf16-mixed, on cpu (auto)"


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = program(tmp_path / "java", "echo 'openjdk version \"21.0.8\" 2025-07-15' >&2")
    monkeypatch.setattr(Java, "find", lambda: SimpleNamespace(program=works, jar="/jars/anserini-1-fatjar.jar"))
    assert hardware.java() == Fact("Java", f"21.0.8 of {works}, anserini-1-fatjar.jar")
    fails = program(tmp_path / "other", "echo broken; exit 1")
    monkeypatch.setattr(Java, "find", lambda: SimpleNamespace(program=fails, jar="a.jar"))
    assert hardware.java() == Fact("Java", f"{fails} does not start (broken); take retriever=bm25s", LOOK)

    def none() -> None:
        raise ConfigError("Java is missing; pip install 'clir-lightning[lucene]'")

    monkeypatch.setattr(Java, "find", none)
    assert hardware.java() == Fact("Java", "Java is missing; pip install 'clir-lightning[lucene]'")
