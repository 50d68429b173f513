"""What `clir --help` and `clir VERB --help` print, in a terminal's width; nothing heavy is imported for it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from clir_lightning.configuration import config_folder, options, root_name

VERBS = 15  # columns of a verb and the space after it
COMMANDS = 34  # the same of a command
COMMENTS = 32  # the column in which the configuration's comments stand

BEGINNING = {
    "clir train data=demo encoder=tiny": "a first training, on the demo's data",
    "clir VERB --help": "a verb's examples, groups and settings",
    "clir VERB … --cfg job": "a command's configuration; nothing runs",
    'eval "$(clir completion bash)"': "what the Tab key needs (or zsh, fish)",
    "clir --version": "which release this is",
}


def usage(verbs: Mapping[str, tuple[str, str]], groups: Mapping[str, Sequence[str]]) -> str:
    """What `clir --help` prints: every verb with what it does, group by group.

    Args:
        verbs: what each does, and an example of it.
        groups: the verbs of each group. Those that there are not are left out, and verbs of no group come last.
    """
    lines = ["clir: experiments in cross-lingual information retrieval", "", "usage: clir VERB [setting=value …]"]
    grouped = {verb for of_group in groups.values() for verb in of_group}
    more = [verb for verb in verbs if verb not in grouped]
    for group, of_group in {**groups, **({"more": more} if more else {})}.items():
        lines += ["", group]
        for verb in (verb for verb in of_group if verb in verbs):
            lines += _beside(verb, verbs[verb][0])
    lines += ["", "to begin with"]
    for command, what in BEGINNING.items():
        lines += _beside(command, what, COMMANDS)
    return "\n".join(lines)


def family_usage(name: str, verbs: Mapping[str, tuple[str, str]]) -> str:
    """What `clir NAME --help` prints of several verbs: what each does, with its example."""
    lines = [f"clir {name}: several verbs"]
    for verb, (what, example) in verbs.items():
        lines += ["", *_beside(verb, what), *_command(example, " " * (VERBS + 4))]
    return "\n".join([*lines, "", "clir VERB --help lists a verb's groups and settings."])


def verb_usage(verb: str, what: str) -> str:
    """What `clir VERB --help` prints: its examples, the groups with their options, and its file's settings."""
    file = config_folder() / f"{root_name(verb)}.yaml"
    root = file.read_text(encoding="utf-8")
    lines = [*_wrapped(f"clir {verb}: {what}"), ""]
    for example in _examples(file):
        lines += _command(example, "  ")

    # Each group of the file's defaults list.
    groups = [path for path in sorted(config_folder().iterdir()) if path.is_dir() and f"- {path.name}:" in root]
    if groups:
        lines += ["", "groups (name=option):"]
    for group in groups:
        names = options(group)
        lines += _wrapped(", ".join(names), f"  {group.name:<12} ", " " * 15)
        lines += _command(_examples(group / f"{names[0]}.yaml")[0], " " * 17)

    # What stands between the defaults list and Hydra's own settings.
    lines += ["", "settings, each changed by name=value (a.b=value inside):"]
    for line in root.partition("\n\n")[2].partition("\nhydra:")[0].splitlines():
        if not line.strip().startswith("_target_:"):  # not a setting of the user's
            lines += _setting(f"  {line}")
    closing = (
        "-m runs every combination of comma-separated values; --cfg job prints the composed configuration; "
        "--info defaults-tree shows where it comes from; --config-dir DIR adds your own files; --hydra-help."
    )
    return "\n".join([*lines, "", *_wrapped(closing)])


def _examples(file: Path) -> list[str]:
    """The commands in the head of a configuration file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# clir ")]


def _width() -> int:
    """The terminal's, where prose is still read with ease."""
    return min(max(shutil.get_terminal_size().columns, 60), 100)


def _wrapped(text: str, first: str = "", later: str = "", room: int = 0) -> list[str]:
    """Lines of a text that leave `room` columns free, `first` before the first of them and `later` before others."""
    return textwrap.wrap(
        text,
        _width() - room,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _beside(name: str, what: str, column: int = VERBS) -> list[str]:
    """A name, and what it is for in a column beside it, or below where there is too little room."""
    if column + 2 + 24 > _width():
        return [f"  {name}", *_wrapped(what, " " * 6, " " * 6)]
    return _wrapped(what, f"  {name:<{column}}" + (" " if len(name) >= column else ""), " " * (column + 2))


def _command(text: str, indent: str) -> list[str]:
    """A command in lines that a shell reads as one."""
    lines = _wrapped(text, indent, f"{indent}  ", room=2)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _setting(line: str) -> list[str]:
    """A line of a configuration file; what is too long for the terminal goes on below, a comment in its column."""
    code, mark, comment = line.partition("# ")
    indent = " " * (len(line) - len(line.lstrip()))
    if len(line) <= _width():
        return [line]
    if not code.strip():
        return _wrapped(comment, f"{code}# ", f"{code}# ")

    # The setting, and its comment beside it where there is room, or else below.
    column = COMMENTS + 2
    beside = f"{code.rstrip():<{column}}"
    above = [] if len(beside) == column else _wrapped(code.strip(), indent, f"{indent}    ")
    first = " " * column if above else beside
    return [*above, *(_wrapped(comment, f"{first}# ", f"{' ' * column}# ") if mark else [])]
