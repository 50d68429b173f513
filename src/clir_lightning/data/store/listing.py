"""What lies in a folder, while other processes may remove it, or what is in it, at any moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """What of a folder has a name of that pattern, sorted; nothing where the folder is not there, or goes meanwhile.

    >>> listed(Path("nowhere"))
    []
    """
    with suppress(OSError):
        return sorted(folder.glob(pattern))
    return []


def below(folder: Path) -> Iterator[Path]:
    """Files and folders at any depth of a folder, without those in a folder that goes meanwhile."""
    # `os.walk` passes over a folder that has gone, `Path.rglob` raises.
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place, name)
