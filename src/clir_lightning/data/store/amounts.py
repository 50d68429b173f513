"""Sizes and lengths of time as people write and read them."""

from __future__ import annotations

import re

from clir_lightning.errors import ConfigError

SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
TIMES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
BINARY = {f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", start=1)}


def bytes_of(text: str | float, name: str) -> int:
    """The bytes of a size such as `20GB`, `1.5 TB` or `512MiB`; 0 needs no unit.

    >>> bytes_of("20GB", "max_size"), bytes_of("1.5 kb", "max_size"), bytes_of("1MiB", "max_size")
    (20000000000, 1500, 1048576)
    """
    units = {unit.upper(): factor for unit, factor in SIZES.items()} | BINARY
    number, unit = _parts(text)
    factor = 1 if number == 0 and not unit else units.get(unit.upper())
    if number is None or factor is None:
        raise ConfigError(f"{name} is {text!r}; allowed: a number with a unit ({', '.join(SIZES)}), 20GB say")
    return int(number * factor)


def seconds_of(text: str | float, name: str) -> float:
    """The seconds of a time such as `30d`, `12h` or `2w`; 0 needs no unit.

    >>> seconds_of("30d", "older_than"), seconds_of("1.5 h", "older_than")
    (2592000.0, 5400.0)
    """
    number, unit = _parts(text)
    factor = 1.0 if number == 0 and not unit else TIMES.get(unit.lower())
    if number is None or factor is None:
        raise ConfigError(f"{name} is {text!r}; allowed: a number with a unit ({', '.join(TIMES)}), 30d say")
    return number * factor


def _parts(text: str | float) -> tuple[float | None, str]:
    """Number and unit, no number where there is none."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    return (float(found[1]), found[2]) if found else (None, "")


def size(number: float) -> str:
    """Bytes in three digits or so.

    >>> size(0), size(999), size(1234), size(9_960_000), size(27_300_000_000)
    ('0 B', '999 B', '1.2 kB', '10 MB', '27 GB')
    """
    unit = next(reversed([name for name, least in SIZES.items() if number >= least * 0.9995] or ["B"]))
    value = number / SIZES[unit]
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"


def age(seconds: float) -> str:
    """A length of time in the largest unit that fits, as a whole number.

    >>> age(-3), age(59), age(7199), age(86400), age(40 * 86400), age(800 * 86400)
    ('now', 'now', '1 h', '1 d', '40 d', '800 d')
    """
    unit = next(reversed([name for name in ("min", "h", "d") if seconds >= TIMES[name]] or [""]))
    return f"{seconds // TIMES[unit]:.0f} {unit}" if unit else "now"
