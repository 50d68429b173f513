"""The model folder: Hugging Face configuration, tokenizer, weights as safetensors, and this project's `clir.json`.

It is read as it lies, moved or renamed, without a pickle on the way. `clir.json` holds the number of this format, the
settings of the training, the names of the encoder's files and what else the training tells of itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from clir_lightning.data.store.replacing import replacing, unchanged
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.models.hub import is_hub_name
from clir_lightning.models.saved import (
    KINDS,
    Recipe,
    Saved,
    check_files,
    files_of_checkpoint,
    read_checkpoint,
    saved_in_checkpoint,
    weights_of_checkpoint,
)

FOLDER = "model"  # within an output folder
SETTINGS = "clir.json"
WEIGHTS = "model.safetensors"
FORMAT = 1
AGAIN = "copy the folder again, whole, or give another"
FULL = ("No space left", "StorageFull", "QuotaExceeded", "FileTooLarge", "quota exceeded", "File too large")


def write_model_folder(
    folder: Path, recipe: Recipe, weights: Mapping[str, Tensor], about: Mapping[str, Any] | None = None
) -> None:
    """Write a model folder; one that stands there is replaced in one step, and stays if writing fails.

    Args:
        folder: its place.
        recipe: settings and the encoder's files.
        weights: the architecture's state dictionary.
        about: what else `clir.json` is to hold, plain values.

    Raises `DataError` if it cannot be written.
    """
    try:
        with replacing(folder) as partial:
            for name, content in recipe.files.items():
                (partial / name).write_bytes(content)
            save_file(_apart(weights), partial / WEIGHTS, metadata={"format": "pt"})
            settings = {"format": FORMAT, **(about or {}), "encoder_files": list(recipe.files), "config": recipe.config}
            text = json.dumps(settings, indent=1, ensure_ascii=False)
            (partial / SETTINGS).write_text(text + "\n", encoding="utf-8")
            (partial / WEIGHTS).chmod((partial / SETTINGS).stat().st_mode)  # its library lets nobody else read them
    except (OSError, SafetensorError) as error:
        full = any(sign in str(error) for sign in FULL)
        cure = "make room and go on with resume=auto" if full else "see to the folder and go on with resume=auto"
        problem = "no space left for the model" if full else f"the model cannot be written ({error})"
        raise DataError(problem, path=folder, cure=f"the last good one stays; {cure}") from error


def _apart(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights on the CPU, each with memory of its own: tied ones are written once for each name."""
    seen: set[int] = set()
    apart = {}
    for name, value in weights.items():
        tensor = value.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return apart


def home(path: Path) -> Path:
    """The model folder that `path`, such a folder or an output folder, stands for; what is no folder is itself."""

    def looked_at(place: Path) -> Path:
        return place / FOLDER if place.is_dir() and not (place / SETTINGS).exists() else place

    # A model folder that is being replaced may for a moment not be there: both looks must be at the same one.
    return unchanged(path, looked_at)


def reject_trained(name: str) -> None:
    """Reject a model folder, or an output folder, as the name of a pretrained encoder: none would find its weights."""
    if (home(Path(name)) / SETTINGS).is_file():
        problem = f"encoder.name is {name}, a model that clir train wrote, whose weights are those of an architecture"
        raise ConfigError(f"{problem}; give its own encoder.name, and init_from={name}")


def read_settings(path: Path) -> dict[str, Any]:
    """The `clir.json` of a model folder.

    Raises `ConfigError` where there is none, and for a damaged one or one of a later format.
    """
    file = path / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        number = settings["format"]
        names = settings["encoder_files"]
        config = settings["config"]
        whole = isinstance(number, int) and isinstance(names, list) and isinstance(config, dict)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged or cannot be read ({_brief(error)}); {AGAIN}") from error
    if whole and number > FORMAT:
        problem = f"{path} is a model folder of format {number}, and this version reads {FORMAT}"
        raise ConfigError(f"{problem}; install the version of clir_lightning that wrote it, or a later one")
    if not whole or number < 1 or not config or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{file} is damaged: format, encoder_files or config is not what it should be; {AGAIN}")
    return settings


def read_saved(path: str | Path) -> Saved:
    """A trained model from its folder, from the output folder around that, or from a checkpoint.

    Raises `ConfigError` for whatever else lies there, or does not.
    """
    given = Path(path)
    if given.is_file():
        _reject_part(given)
        return saved_in_checkpoint(given)
    return unchanged(home(given), lambda folder: _saved_in_folder(given, folder))


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights alone, of whatever `read_saved` reads."""
    return read_start(path)[0]


def read_start(path: str | Path) -> tuple[dict[str, Tensor], dict[str, bytes]]:
    """The weights and the encoder's files, of whatever `read_saved` reads; a checkpoint may be without files."""
    given = Path(path)
    if given.is_file():
        _reject_part(given)
        content = read_checkpoint(given)
        return weights_of_checkpoint(content), files_of_checkpoint(content)
    saved = read_saved(given)
    return saved.weights, saved.recipe.files


def _saved_in_folder(given: Path, folder: Path) -> Saved:
    if not (folder / SETTINGS).is_file():
        raise ConfigError(_not_a_model(given))
    settings = read_settings(folder)

    # The encoder's files, by the names that the settings list: nothing else in the folder is looked at.
    names = dict.fromkeys(settings["encoder_files"])
    check_files(names, folder / SETTINGS)
    files = {}
    for name in names:
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise ConfigError(f"{folder / name} is missing or cannot be read ({_brief(error)}); {AGAIN}") from error

    # The weights, which torch maps from the file.
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        problem = f"{folder / WEIGHTS} is missing, truncated or damaged ({_brief(error)})"
        raise ConfigError(f"{problem}; {AGAIN}") from error
    return Saved(Recipe(settings["config"], files), weights)


def _reject_part(file: Path) -> None:
    """Reject a file of a model folder, given in its place."""
    if (file.parent / SETTINGS).exists() or file.suffix == ".safetensors":
        raise ConfigError(f"{file} is a part of a model; give the folder that it lies in, {file.parent}")


def _not_a_model(path: Path) -> str:
    """What to say of a path without a model folder."""
    if not path.exists():
        cure = f"; a hub's model is not one: train from it with encoder.name={path}" if _is_hubs(path) else ""
        return f"{path} is missing; {KINDS}{cure}"
    if (path / "checkpoints").is_dir():
        cure = "wait for its first validation, or give one of its checkpoints"
        return f"{path} is of a training without a model yet (there is no {FOLDER}/{SETTINGS}); {cure}"
    if (path / "config.json").is_file():
        problem = f"{path} is a Hugging Face model that clir train did not write (there is no {SETTINGS})"
        return f"{problem}; train from it with encoder.name={path}"
    found = ", ".join(sorted(child.name for child in path.iterdir())[:8]) or "nothing"
    return f"{path} is not a trained model (it holds {found}); {KINDS}"


def _is_hubs(path: Path) -> bool:
    """Whether a path reads like the name of a hub's model, `organisation/model`."""
    return str(path).count("/") == 1 and not path.parent.exists() and is_hub_name(str(path))


def _brief(error: Exception) -> str:
    """An error's own words in one line; a missing key's name alone would say nothing."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {' '.join(words.split())}"
