"""Pretrained models by name: the folder that one lies in, which is its own, the hub's cache or fetched into that.

What the cache has is taken as it is, without a look at the hub: it neither waits nor changes from one run to the next.
`hf download NAME` fetches a newer commit, and `revision` names one. `HF_HUB_OFFLINE`, `HF_ENDPOINT` and `HF_HOME` mean
what they mean to the hub's own library, which does all the fetching.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import huggingface_hub
from huggingface_hub import constants, errors
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from clir_lightning.errors import ConfigError

log = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 4.0  # that the hub may take to say whether it has a model
DEFAULT = "https://huggingface.co"
SETTINGS = (".json", ".jinja", ".model", ".spm", ".tiktoken", ".txt")  # endings of all but weights
# A tokenizer's main file, one of which must be there; they are fetched in this order, after all other settings.
VOCABULARY = (
    *("tokenizer.json", "sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"),
    *("vocab.txt", "vocab.json"),
)
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

_told: set[str] = set()  # names of which the log has said where they come from


def located(name: str, *, what: str = "encoder", revision: str | None = None, weights: bool = True) -> str:
    """The folder of a model: `name` itself, or that of the hub's model of that name, fetched if the cache lacks it.

    Args:
        name: a folder or a hub name.
        what: what errors call it.
        revision: a branch, tag or commit of a hub's model; `None` for its main branch.
        weights: whether they are needed, or the configuration and the tokenizer alone.

    Raises `ConfigError`, within 5 seconds, for a model that is neither there nor to be had.
    """
    if Path(name).is_dir():
        return name
    if not is_hub_name(name):
        cure = "give a folder with config.json, tokenizer.json and model.safetensors, or a hub name"
        raise ConfigError(f"{what} {name!r} cannot be loaded (there is no such folder); {cure}")

    # The cache first.
    folder = cached_folder(name, revision)
    if folder is not None and is_whole(folder, weights=weights):
        _tell(name, f"{_offline()}{name} from the cache", folder)
        return str(folder)

    # What there is to say where it cannot be had.
    place = constants.HF_HUB_CACHE
    elsewhere = f"fetch it on another machine (hf download {name}) and copy {_home(name).name} into {place}"
    there = "not" if folder is None else "not all there"
    problem = f"{what} {name!r} cannot be loaded (no folder; {there} in the cache {place}"
    if constants.HF_HUB_OFFLINE:
        raise ConfigError(f"{problem}; HF_HUB_OFFLINE is set); give a folder, unset HF_HUB_OFFLINE, or {elsewhere}")

    # Then the hub.
    try:
        found = fetched(name, revision, weights=weights)
    except Exception as error:  # of the hub's library, of the one that it uses for HTTP, and of the disk
        mirror = "another mirror" if constants.ENDPOINT != DEFAULT else "a mirror"
        cure = f"give a folder, set HF_ENDPOINT to {mirror}, or {elsewhere}"
        raise ConfigError(f"{problem}; {constants.ENDPOINT} {reason(error)}); {cure}") from error
    _tell(name, f"{name} from {endpoint()}", found)
    return str(found)


def is_hub_name(name: str) -> bool:
    """Whether a name could be one of the hub's.

    >>> [is_hub_name(name) for name in ("xlm-roberta-base", "org/model", "/models/xlmr", "./model", "a/b/c", "")]
    [True, True, False, False, False, False]
    """
    try:
        validate_repo_id(name)
    except errors.HFValidationError:
        return False
    return bool(name)


def endpoint() -> str:
    """The hub's address, and what says so where it is not the usual one."""
    return constants.ENDPOINT + ("" if constants.ENDPOINT == DEFAULT else " (HF_ENDPOINT)")


def cached_folder(name: str, revision: str | None = None) -> Path | None:
    """The folder of a model in the hub's cache, of the commit that `revision` named when it was fetched."""
    home = _home(name)
    revision = revision or "main"
    named = home / "refs" / revision
    try:
        commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision
    except OSError:
        return None
    folder = home / "snapshots" / commit
    return folder if folder.is_dir() else None


def _home(name: str) -> Path:
    """Where the hub's library keeps a model."""
    return Path(constants.HF_HUB_CACHE) / "--".join(["models", *name.split("/")])


def is_whole(folder: Path, *, weights: bool) -> bool:
    """Whether a folder has a configuration, a vocabulary and, if they are needed, all weights."""
    there = (folder / "config.json").is_file() and any((folder / name).is_file() for name in VOCABULARY)
    if not there or not weights:
        return there
    main = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if main is None or main.suffix != ".json":
        return main is not None
    return all((folder / shard).is_file() for shard in _shards(main))


def _shards(index: Path) -> Sequence[str]:
    """The files that an index of weights names."""
    return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))


def fetched(name: str, revision: str | None, *, weights: bool) -> Path:
    """The folder of a hub's model after its files were fetched; what the cache has of them is not fetched again."""
    for logger in ("httpx", "httpx2"):  # a line for each request
        logging.getLogger(logger).setLevel(logging.WARNING)
    listed = _listed(name, revision)

    # Weights come last, and before them the vocabulary: who finds these finds all the rest.
    plain = [file for file in listed if "/" not in file and not file.endswith(".index.json")]
    files = [file for file in plain if file.endswith(SETTINGS)]
    files.sort(key=lambda file: VOCABULARY.index(file) if file in VOCABULARY else -1)
    files = ["config.json", *(file for file in files if file != "config.json")]
    main = next((file for file in WEIGHTS if file in listed), None) if weights else None
    if weights and main is None:
        raise ValueError(f"has no {WEIGHTS[0]} or {WEIGHTS[2]} of it")

    # All of one commit: the cache has a folder for each.
    folder = _file(name, files[0], revision).parent
    rest = [*files[1:], *([main] if main else [])]
    if main and main.endswith(".json"):
        rest = [*files[1:], *_shards(_file(name, main, revision))]
    for file in rest:
        if _file(name, file, revision).parent != folder:
            raise ValueError("got another commit of it meanwhile: try again")
    return folder


def _file(name: str, file: str, revision: str | None) -> Path:
    return Path(huggingface_hub.hf_hub_download(name, file, revision=revision, etag_timeout=SECONDS))


def _listed(name: str, revision: str | None) -> list[str]:
    """The files that the hub has of a model. Raises `TimeoutError` where it does not say in time."""
    answer = asked(lambda: huggingface_hub.HfApi().model_info(name, revision=revision, timeout=SECONDS))
    return [file.rfilename for file in answer(SECONDS).siblings or []]


def asked(question: Callable[[], T]) -> Callable[[float], T]:
    """Begin to ask beside other work; what is returned gives the answer, or raises, and waits so many seconds for it.

    >>> asked(lambda: "yes")(60)
    'yes'
    """
    answer: list[T] = []
    raised: list[Exception] = []

    def ask() -> None:
        try:
            answer.append(question())
        except Exception as error:
            raised.append(error)

    # In a thread that may go on alone: finding out an address knows no time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()

    def answered(seconds: float) -> T:
        thread.join(max(0.0, seconds))
        if raised:
            raise raised[0]
        if not answer:
            raise TimeoutError
        return answer[0]

    return answered


def reason(error: BaseException) -> str:
    """Why a hub's model could not be had, as what follows the hub's address in a sentence."""
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, errors.GatedRepoError):
        return "wants its terms accepted on its page first, and hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "has no such model, or a private one, for hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return "has no such revision of it"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "lacks a file of it"
    if isinstance(error, errors.HfHubHTTPError):
        return f"answers with status {error.response.status_code}"
    if "timeout" in type(error).__name__.lower():
        return f"does not answer within {SECONDS:.0f} seconds"
    if type(error) is ValueError:
        return str(error)
    return f"cannot be reached ({' '.join(str(error).split())[:100] or type(error).__name__})"


def _offline() -> str:
    return "offline (HF_HUB_OFFLINE), " if constants.HF_HUB_OFFLINE else ""


def _tell(name: str, origin: str, folder: Path) -> None:
    """Say where a model comes from when it is first asked for."""
    if name not in _told:
        _told.add(name)
        log.info("hub: %s, commit %s", origin, folder.name[:7])
