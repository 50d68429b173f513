"""Models by name: from the cache without a request, from a hub or its mirror, or refused in one line and in time."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

import hub_for_tests as hubs
from clir_lightning.errors import ConfigError
from clir_lightning.models import hub
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.hub import asked, is_whole, located
from models.families import write

Hub = Callable[..., Path]
LATE = 5.0  # seconds that a name which cannot be had may take


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model as its makers publish it, with files that nobody here needs."""
    place = Path(write("xlm-roberta", tmp_path_factory.mktemp("published")))
    (place / "README.md").write_text("read me")
    (place / "tf_model.h5").write_text("another library's")
    return place


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Sets the hub's address, and an empty cache."""

    def use(address: str, *, offline: bool = False) -> Path:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        hub._told.clear()
        return tmp_path / "hub"

    return use


def refused(**settings: str) -> str:
    """The error for `org/tiny`, which comes in one line and in time."""
    with hubs.in_time(LATE), pytest.raises(ConfigError) as caught:
        located("org/tiny", **settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_itself_and_a_path_without_one_is_no_hub_name(tmp_path: Path) -> None:
    assert located(str(tmp_path)) == str(tmp_path)
    for name in (str(tmp_path / "none"), "./none", "a/b/c"):
        with pytest.raises(ConfigError, match=r"encoder '.*' cannot be loaded \(there is no such folder\)"):
            located(name)


def test_a_mirrors_model_is_fetched_once_and_read_without_a_request(
    folder: Path, cached: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with hubs.serving({"org/tiny": folder}) as (address, asked):
        place = cached(address)
        encoder = Encoder("org/tiny")
        fetched = [request.rpartition("/")[2] for request in asked if request.startswith("GET /org")]
        assert sorted(fetched) == sorted(
            path.name for path in folder.iterdir() if path.suffix in (".json", ".safetensors")
        )
        asked.clear()
        again = Encoder("org/tiny")
    for request in asked:
        pytest.fail(f"the cache has it, and the mirror got {request}")

    # The same weights, and the name by which it was asked for.
    whole = Encoder(str(folder))
    for found in (encoder, again):
        for name, value in whole.state_dict().items():
            assert torch.equal(found.state_dict()[name], value)
        assert found.tokenizer.name_or_path == "org/tiny"
        assert found.tokenizer("法国")["input_ids"] == whole.tokenizer("法国")["input_ids"]
    told = [line for line in caplog.messages if line.startswith("hub: ")]
    assert told == [f"hub: org/tiny from {address} (HF_ENDPOINT), commit c0ffee0"]
    assert (place / "models--org--tiny" / "refs" / "main").read_text() == hubs.COMMIT


def test_the_vocabulary_and_then_the_weights_come_last(folder: Path, cached: Hub) -> None:
    with hubs.serving({"org/tiny": folder}) as (address, asked):
        cached(address)
        located("org/tiny")
    got = [request.rpartition("/")[2] for request in asked if request.startswith("GET /org")]
    assert got[0] == "config.json"
    assert got[-2:] == ["tokenizer.json", "model.safetensors"]


def test_a_tokenizer_alone_fetches_no_weights_and_what_is_missing_comes_later(folder: Path, cached: Hub) -> None:
    with hubs.serving({"org/tiny": folder}) as (address, asked):
        cached(address)
        located("org/tiny", weights=False)
        assert not [request for request in asked if "safetensors" in request]
        asked.clear()
        assert is_whole(Path(located("org/tiny")), weights=True)
        assert [request for request in asked if request.startswith("GET /org")] == [
            "GET /org/tiny/resolve/main/model.safetensors"
        ]


def test_offline_the_cache_alone_counts(folder: Path, cached: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with hubs.serving({"org/tiny": folder}) as (address, asked):
        place = cached(address, offline=True)
        elsewhere = f"fetch it on another machine (hf download org/tiny) and copy models--org--tiny into {place}"
        problem = f"encoder 'org/tiny' cannot be loaded (no folder; not in the cache {place}; HF_HUB_OFFLINE is set)"
        assert refused() == f"{problem}; give a folder, unset HF_HUB_OFFLINE, or {elsewhere}"
        assert not asked

        # With a copy, without a word to the mirror.
        cached(address)
        located("org/tiny")
        cached(address, offline=True)
        asked.clear()
        located("org/tiny")
        assert not asked
    assert caplog.messages[-1] == "hub: offline (HF_HUB_OFFLINE), org/tiny from the cache, commit c0ffee0"

    # Its weights lost.
    home = place / "models--org--tiny" / "snapshots" / hubs.COMMIT
    (home / "model.safetensors").unlink()
    located("org/tiny", weights=False)
    assert "not all there in the cache" in refused()


def test_a_cached_model_needs_no_network_at_all(folder: Path, cached: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with hubs.serving({"org/tiny": folder}) as (address, _):
        cached(address)
        located("org/tiny")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a look-up"))
    Encoder("org/tiny")


@pytest.mark.slow
def test_a_server_that_never_answers(cached: Hub) -> None:
    with hubs.silent() as address:
        cached(address)
        assert (
            f"{address} does not answer within 4 seconds); give a folder, set HF_ENDPOINT to another mirror"
            in refused()
        )


def test_a_closed_port(cached: Hub) -> None:
    with hubs.closed() as address:
        cached(address)
        assert f"{address} cannot be reached (" in refused(what="tokenizer")


@pytest.mark.slow
def test_a_host_that_no_name_server_knows_or_that_none_answers_for(
    cached: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    cached("http://nowhere.invalid")
    monkeypatch.setattr("socket.getaddrinfo", unknown)
    assert "http://nowhere.invalid cannot be reached (" in refused()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(30))
    assert "http://nowhere.invalid does not answer within 4 seconds" in refused()


def test_a_hub_that_lacks_the_model_its_revision_or_its_weights(folder: Path, cached: Hub, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("model.safetensors"))
    with hubs.serving({"org/other": folder}) as (address, _):
        cached(address)
        assert f"{address} has no such model, or a private one, for hf auth login)" in refused()
    with hubs.serving({"org/tiny": bare}) as (address, _):
        cached(address)
        assert f"{address} has no model.safetensors or pytorch_model.bin of it)" in refused()


def test_weights_in_parts_are_whole_with_the_last_part(folder: Path, cached: Hub, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    shutil.copytree(folder, parts, ignore=shutil.ignore_patterns("model.safetensors"))
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name in names:
        (parts / name).write_text(name)
    index = {"weight_map": {"a": names[0], "b": names[1], "c": names[0]}}
    (parts / "model.safetensors.index.json").write_text(json.dumps(index))
    assert is_whole(parts, weights=True)
    with hubs.serving({"org/tiny": parts}) as (address, _):
        cached(address)
        found = Path(located("org/tiny"))
    assert [(found / name).read_text() for name in names] == names
    (found / names[1]).unlink()
    assert not is_whole(found, weights=True)
    assert is_whole(found, weights=False)


def test_a_commit_that_changes_meanwhile_is_not_mixed(
    folder: Path, cached: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = hub._file
    with (
        hubs.serving({"org/tiny": folder}) as (one, _),
        hubs.serving({"org/tiny": folder}, commit="d" * 40) as (two, _),
    ):

        def moving(name: str, file: str, revision: str | None) -> Path:
            cached(one if file == "config.json" else two)
            return fetch(name, file, revision)

        monkeypatch.setattr(hub, "_file", moving)
        cached(one)
        assert "got another commit of it meanwhile" in refused()


def test_the_environment_decides_as_it_does_for_the_hubs_own_programs(folder: Path, tmp_path: Path) -> None:
    code = "import sys; from clir_lightning.models.hub import located; print(located(sys.argv[1], weights=False))"
    with hubs.serving({"org/tiny": folder}) as (address, _):
        given = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", code, "org/tiny"]
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "hub" / "models--org--tiny" / "snapshots" / hubs.COMMIT)


def test_no_answer_in_time_is_told_as_such() -> None:
    late = threading.Event()
    with pytest.raises(TimeoutError):
        asked(late.wait)(0.01)
    late.set()
