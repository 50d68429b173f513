"""`clir browse`: rankings on a local page, served by Streamlit until Ctrl-C."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from clir_lightning import browse
from clir_lightning.browse.library import DEMO, Library, Settings, opened
from clir_lightning.build import changed, plain
from clir_lightning.errors import ConfigError, at_least
from clir_lightning.models.model_folder import read_saved
from clir_lightning.outputs.systems import paths, training_config

SCRIPT = Path(browse.__file__).with_name("app.py")
SCREEN = ("DISPLAY", "WAYLAND_DISPLAY")  # in the environment of a Linux session that has one
WAITS = 0.05  # seconds between two looks whether the page is there


def streamlit() -> Any:
    """Streamlit's own way to start a server; `ConfigError` names the extra that it comes with."""
    try:
        from streamlit.web import bootstrap
    except ImportError:
        raise ConfigError("the page needs Streamlit: pip install 'clir-lightning[browse]'") from None
    return bootstrap


def data_of(config: DictConfig) -> dict[str, Any]:
    """The collection's settings: those given, or the first model's or output folder's, changed; else the demo's."""
    own = None
    if "_target_" not in config.data:
        own = next((OmegaConf.create(dict(found["data"])) for found in trainings(config) if found.get("data")), None)
    if own is None and "_target_" not in config.data:
        own = OmegaConf.create({"_target_": DEMO})
    return plain(changed(own, config.data, "data"))


def trainings(config: DictConfig) -> list[Any]:
    """The settings that models and output folders were trained with."""
    runs: Any = OmegaConf.to_container(config.runs)
    flat = [one for some in runs.values() for one in _listed(some)] if isinstance(runs, dict) else runs
    folders = [path for path in paths(flat) if path.is_dir()]
    return [*(read_saved(Path(path)).recipe.config for path in config.models), *map(training_config, folders)]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def settings_of(config: DictConfig) -> Settings:
    """What the page is told. Raises `ConfigError` for settings that cannot be."""
    at_least(config.depth, 1, "depth")
    return Settings(
        data=data_of(config),
        retriever=plain(config.retriever),
        translation=plain(config.translation),
        split=config.split,
        runs=OmegaConf.to_container(config.runs),
        models=list(config.models),
        graph=config.graph,
        depth=config.depth,
        computing={name: config[name] for name in ("device", "precision", "cache")},
    )


def free_port(address: str, port: int) -> int:
    """The port, or any free one for 0. Raises `ConfigError` where it or the address cannot be had."""
    if not 0 <= port <= 65535:
        raise ConfigError(f"port is {port}; allowed: 0 to 65535")
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address, port))
        except OSError as error:
            cure = f"give another, port={port + 1} say, or port=0 for any that is free"
            raise ConfigError(f"port {port} of {address} cannot be had ({error.strerror}); {cure}") from error
        return int(listening.getsockname()[1])


def options(address: str, port: int) -> dict[str, Any]:
    """Streamlit's settings: this machine alone, nothing fetched from outside, nothing told to anyone."""
    return {
        "server.address": address,
        "server.port": port,
        "server.headless": True,  # else it asks the network for this machine's addresses
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "logger.enableRich": False,
    }


def is_served(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex((address, port)) == 0


def announce(address: str, port: int, *, open_browser: bool) -> None:
    """Say where the page is once it is there, and open it where there is a screen."""
    url = f"http://{address}:{port}"
    while not is_served(address, port):
        time.sleep(WAITS)
    Console().print(f"the page is at {url} (Ctrl-C ends it)", soft_wrap=True, highlight=False)
    if open_browser and (sys.platform != "linux" or any(os.environ.get(name) for name in SCREEN)):
        webbrowser.open(url)


def show(library: Library) -> None:
    """Print what the page will show."""
    console = Console()
    console.print(f"{library.collection!r}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"systems: {', '.join(library.systems)}", soft_wrap=True, markup=False, highlight=False)
    for note in library.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def main(config: DictConfig) -> None:
    """Run the job."""
    bootstrap = streamlit()
    settings = settings_of(config)
    port = free_port(config.address, config.port)

    # All that can be wrong is told before there is a page.
    show(opened(settings.text()))
    logging.getLogger("clir_lightning").setLevel(logging.WARNING)  # a query is not worth a line

    # The page's script runs in threads of this process, and so finds what was opened.
    flags = options(config.address, port)
    bootstrap.load_config_options(flag_options=flags)
    arguments = {"open_browser": bool(config.open)}
    threading.Thread(target=announce, args=(config.address, port), kwargs=arguments, daemon=True).start()
    bootstrap.run(str(SCRIPT), False, [settings.text()], flags)
