"""`clir cache prune`: remove what has long not been used, what is too much, and what killed runs left behind."""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from clir_lightning.data.store.amounts import bytes_of, seconds_of, size
from clir_lightning.data.store.inventory import BUILDING, IN_USE, KEPT, inventory
from clir_lightning.data.store.pruning import GONE, REMOVED, chosen, remove, remove_stray_locks
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.cache_list import cache_folder, of_kinds, show


def main(config: DictConfig) -> None:
    """Run the job. Raises `ConfigError` where nobody can be asked, and where something could not be removed."""
    if not isinstance(config.yes, bool):
        raise ConfigError(f"yes is {config.yes!r}; allowed: true, false")
    older_than = None if config.older_than is None else seconds_of(config.older_than, "older_than")
    max_size = None if config.max_size is None else bytes_of(config.max_size, "max_size")
    cache = cache_folder(config.cache)
    found = of_kinds(inventory(cache), config.kind)
    goes = chosen(found.entries, older_than=older_than, max_size=max_size)

    # What goes, and what stays although the settings are for it.
    print(f"cache: {cache}, {size(found.size)} in {_counted(len(found.entries))}")
    used = sum(entry.state in KEPT for entry in found.entries)
    if used:
        told = "1 of them is in use, being built or not yours, and stays"
        print(told if used == 1 else f"{used} of them are in use, being built or not yours, and stay")
    if not goes:
        nothing = older_than is None and max_size is None
        print("nothing to remove" + ("; give older_than=30d, max_size=20GB or both" if nothing else ""))
        return
    show(goes)

    # One question for all of them.
    if not config.yes and not _asked(f"Remove {_counted(len(goes))}? [y/N] "):
        print("nothing was removed")
        return

    # A process may have come to use one meanwhile, or have removed it.
    outcomes = {entry.path: remove(entry) for entry in goes}
    remove_stray_locks(cache)
    gone = [entry for entry in goes if outcomes[entry.path] in (REMOVED, GONE)]
    freed = sum(entry.size for entry in gone)
    print(f"removed {_counted(len(gone))}, {size(freed)}; {size(found.size - freed)} are left")
    stay = {path: why for path, why in outcomes.items() if why not in (REMOVED, GONE)}
    for path, why in stay.items():
        print(f"{path} stays: {why}")
    failed = [path for path, why in stay.items() if why not in (IN_USE, BUILDING)]
    if failed:
        raise ConfigError(f"{_counted(len(failed))} could not be removed; ask their owner, or see the folder's rights")


def _counted(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _asked(question: str) -> bool:
    """Whether somebody at a terminal says yes; `ConfigError` without a terminal."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("nothing was removed, as there is no terminal to ask in; add yes=true to remove these")
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False
