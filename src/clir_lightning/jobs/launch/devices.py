"""Which devices a job's processes run on: decided once, from the trainer's settings and the GPUs of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clir_lightning.errors import ConfigError

ALL = ("auto", -1, "-1")


def cards(trainer: Mapping[str, Any], available: int) -> list[int] | None:
    """The GPUs of this machine's processes, in order, of `available` ones; `None` where they run on something else.

    `trainer.devices` is a number (that many, from the first on), a list or text of GPUs' numbers, or all of them.
    Raises `ConfigError` for GPUs that are not there.

    >>> cards({"devices": 2}, 4), cards({"devices": [0, 3]}, 4), cards({"devices": "1,2"}, 4), cards({"devices": -1}, 3)
    ([0, 1], [0, 3], [1, 2], [0, 1, 2])
    >>> cards({"devices": 2, "accelerator": "cpu"}, 4), cards({"devices": 2}, 0)
    (None, None)
    """
    if not available or trainer.get("accelerator", "auto") not in ("auto", "gpu", "cuda"):
        return None
    devices = trainer.get("devices", 1)
    if devices in ALL:
        return list(range(available))
    numbers = _numbers(devices)
    wanted = list(range(numbers)) if isinstance(numbers, int) else numbers
    if absent := [number for number in wanted if not 0 <= number < available]:
        raise ConfigError(
            f"trainer.devices is {devices}, but this machine has no GPU {absent[0]}; allowed: "
            f"1 to {available} GPUs, or a list of their numbers, 0 to {available - 1}"
        )
    return wanted


def _numbers(devices: Any) -> list[int] | int:
    """The GPUs' numbers of `[0, 3]`, `"0,3"` or `"3,"`; the count of `2` or `"2"`."""
    try:
        if isinstance(devices, str):
            parts = [int(part) for part in devices.split(",") if part.strip()]
            return parts if "," in devices else parts[0]
        return devices if isinstance(devices, int) else [int(number) for number in devices]
    except (ValueError, TypeError, IndexError):
        raise ConfigError(
            f"trainer.devices is {devices!r}; allowed: a number, a list of GPUs' numbers such as [0,3], or auto"
        ) from None


def count(trainer: Mapping[str, Any], available: int) -> int:
    """The processes that a trainer's settings ask for on a machine with this many GPUs.

    >>> count({"devices": 2, "accelerator": "cpu"}, 0), count({"devices": [0, 3]}, 4), count({"devices": "auto"}, 0)
    (2, 2, 1)
    """
    own = cards(trainer, available)
    if own is not None:
        return len(own)
    devices = trainer.get("devices", 1)
    if devices in ALL:
        return 1
    numbers = _numbers(devices)
    return numbers if isinstance(numbers, int) else len(numbers)


def of_job(trainer: Mapping[str, Any], number: int | None, available: int) -> Any:
    """The devices of a sweep's job: jobs of one GPU that run side by side take turns on those of the machine.

    >>> of_job({"devices": 1}, 5, 4), of_job({"devices": 2}, 5, 4), of_job({"devices": 1}, None, 4)
    ([1], 2, 1)
    >>> of_job({"devices": 1, "accelerator": "cpu"}, 5, 4)
    1
    """
    devices = trainer.get("devices", 1)
    if number is None or devices not in (1, "1") or cards(trainer, available) is None or available < 2:
        return devices
    return [number % available]
