"""`clir browse`: what is wrong is told in one line before there is a server; what it tells Streamlit."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from clir_lightning.browse.library import DEMO, Library, distinct, opened
from clir_lightning.configuration import config_folder
from clir_lightning.errors import ClirError, ConfigError
from clir_lightning.jobs import browse
from program import ROOT

PAGE = (ROOT / "docs" / "browse.md").read_text(encoding="utf-8")


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("browse", list(overrides))


def library(*overrides: str) -> Library:
    return Library.open(browse.settings_of(config(*overrides)))


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been started."""
    started: list[Any] = []

    class Bootstrap:
        @staticmethod
        def load_config_options(flag_options: dict[str, Any]) -> None:
            started.append(flag_options)

        @staticmethod
        def run(*arguments: Any) -> None:
            started.append(arguments)

    monkeypatch.setattr(browse, "streamlit", lambda: Bootstrap)
    monkeypatch.setattr(browse, "announce", lambda *args, **kwargs: None)
    return started


def test_without_any_setting_it_is_the_demo_with_bm25_and_walks(
    no_server: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    browse.main(config("port=0"))
    flags, (script, hello, arguments, again) = no_server
    assert flags is again
    assert Path(script).name == "app.py"
    assert hello is False
    settings = json.loads(arguments[0])
    assert settings["data"] == {"_target_": DEMO}
    found = opened(arguments[0])
    assert found.shown() == ["BM25 (bm25s)", "PageRank (graph)"]
    assert len(found.split.queries) == 200
    said = [line for line in capsys.readouterr().out.splitlines() if line]
    assert said[1] == "systems: BM25 (bm25s), PageRank (graph)"
    assert "\n".join([*said, "the page is at http://127.0.0.1:8501 (Ctrl-C ends it)"]) in PAGE

    # This machine alone, and nothing told to anyone.
    assert flags["server.address"] == "127.0.0.1"
    assert flags["browser.gatherUsageStats"] is False
    assert flags["server.headless"] is True
    assert flags["server.port"] > 0


def test_streamlit_has_all_the_options_that_it_is_given() -> None:
    from streamlit import config as options

    known = options.get_config_options()
    assert [name for name in browse.options("127.0.0.1", 1) if name not in known] == []


def test_a_port_that_is_taken_is_told_with_a_cure() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127.0.0.1 cannot be had \(.*port={port + 1} say"):
            browse.free_port("127.0.0.1", port)
    assert browse.free_port("127.0.0.1", port) == port
    assert browse.free_port("127.0.0.1", 0) > 0
    with pytest.raises(ConfigError, match="allowed: 0 to 65535"):
        browse.free_port("127.0.0.1", 70000)
    with pytest.raises(ConfigError, match="cannot be had"):
        browse.free_port("203.0.113.1", 8501)


def test_without_streamlit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamlit.web", None)
    with pytest.raises(ConfigError, match=r"clir-lightning\[browse\]"):
        browse.streamlit()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("split=tset1", "split is 'tset1'; allowed: train, dev, test1; did you mean 'test1'"),
        ("depth=0", "depth is 0; allowed: 1 or more"),
        ("runs=[nothing.trec]", "nothing matches 'nothing.trec'"),
        ("models=[nowhere]", "nowhere"),
        ("graph=nowhere", "nowhere"),
        ("translation.names=other", "translation.names is 'other'"),
    ],
)
def test_what_is_wrong_is_told_before_there_is_a_server(
    override: str, message: str, no_server: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClirError) as caught:
        browse.main(config("port=0", override))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert no_server == []


def test_run_files_of_one_name_and_of_foreign_ids(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.trec").write_text("q Q0 x 1 2.0 t\nq Q0 currency:KZT 2 1.0 t\n", encoding="utf-8")
    found = library(f"runs=['{tmp_path}/*/mine.trec']")
    assert list(found.runs) == [f"{tmp_path}/one/mine.trec", f"{tmp_path}/two/mine.trec"]
    assert found.notes[0] == f"{tmp_path}/one/mine.trec: 1 of 2 listed documents are not in demo; the first is x"
    assert found.notes[1].endswith("lists none of the 200 queries of the split")


def test_a_run_named_like_the_first_stage_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "BM25 (bm25s).trec").write_text("currency:KZT Q0 currency:KZT 1 2.0 t\n", encoding="utf-8")
    found = library(f"runs=['{tmp_path}/BM25 (bm25s).trec']")
    assert found.systems[:2] == ["BM25 (bm25s)", "BM25 (bm25s) (run)"]


def test_an_empty_run_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "empty.trec").write_text("", encoding="utf-8")
    with pytest.raises(ClirError, match=r"empty\.trec"):
        library(f"runs=['{tmp_path}/empty.trec']")


@pytest.mark.slow
def test_models_of_one_name_are_told_apart_and_their_data_is_taken(demo_run: Path, dual_run: Path) -> None:
    settings = browse.settings_of(config(f"models=['{demo_run}','{demo_run}/model','{dual_run}']"))
    assert settings.data["_target_"] == DEMO
    found = Library.open(settings)
    assert list(found.models) == ["cross", f"cross ({demo_run}/model)", "dual"]
    assert found.notes[:-1] == ()


def test_settings_of_the_data_are_changed() -> None:
    assert len(library("+data.test=50").split.queries) == 50


@pytest.mark.parametrize("command", re.findall(r"^clir browse ?(.*)$", PAGE, re.M))
def test_the_commands_of_the_page_compose(command: str) -> None:
    if not command.startswith(": "):
        config(*(f"++{one}" if one.startswith("data.") else one for one in command.split()))


def test_names_are_told_apart() -> None:
    assert distinct("a", "p", ["a", "a (p)", "a (p) 2"]) == "a (p) 3"
