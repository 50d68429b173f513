"""`clir completion SHELL`: a script for the shell, which asks this program what a word could become.

Verbs, groups and options are read off the folders of `conf/`; the settings of a verb are those of its configuration
with the options that stand before the word, which takes as long as to compose it. Hydra's own completion knows no verbs
and completes nothing within brackets or folders of options.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from clir_lightning.configuration import config_folder, options, root_name

SWITCHES = ("--help", "--multirun", "--cfg", "--config-dir", "--info", "--resolve", "--package", "--hydra-help")
AFTER = {"--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all"), "--info": ("defaults-tree", "searchpath")}

# Readline splits a word that no quote begins at `=` and `:`: its completion starts after the last of them.
BASH = r"""_clir() {
    local line="${COMP_LINE:0:COMP_POINT}" reply=() word before quoted
    word="${line##*[[:space:]]}"
    before="${word%"${word##*[=:]}"}"
    [[ $word == [\"\']* ]] && before="" quoted=1
    while IFS= read -r word; do
        [[ $word == *[=.[,] || $quoted ]] || word="$word "
        reply+=("${word#"$before"}")
    done < <(clir completion words "$line" 2>/dev/null)
    COMPREPLY=("${reply[@]}")
}
complete -o nospace -o default -F _clir clir"""

ZSH = r"""_clir() {
    local -a found open closed
    local word
    found=(${(f)"$(clir completion words "${LBUFFER}" 2>/dev/null)"})
    for word in $found; do
        if [[ $word == *[=.\[,] ]]; then open+=("$word"); else closed+=("$word"); fi
    done
    (( $#open )) && compadd -Q -S '' -- $open
    (( $#closed )) && compadd -Q -- $closed
    (( $#found )) || { compset -P '*='; _files }
}
(( $+functions[compdef] )) || { autoload -Uz compinit; compinit; }
compdef _clir clir"""

FISH = """function __clir
    clir completion words (commandline -cp) 2>/dev/null
end
complete -c clir -e
complete -c clir -a '(__clir)'"""

SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def complete(arguments: Sequence[str], verbs: Mapping[str, object]) -> None:
    """Print a shell's script, or for `words LINE` what the line's last word could become, one a line."""
    if len(arguments) == 2 and arguments[0] == "words":
        *before, word = f" {arguments[1]}".split(" ")[1:]
        word = word.lstrip("'\"")  # brackets stand in quotes
        for found in candidates([each for each in before[1:] if each], word, (*verbs, "completion")):
            print(found)
    elif len(arguments) == 1 and arguments[0] in SHELLS:
        print(SHELLS[arguments[0]])
    else:
        cure = 'eval "$(clir completion bash)" in ~/.bashrc completes commands'
        sys.exit(f"clir completion: give one of {', '.join(SHELLS)}; {cure}")


def candidates(before: Sequence[str], word: str, verbs: Sequence[str]) -> list[str]:
    """What a word could become after others.

    >>> candidates([], "ge", ["geometry", "graph build"]), candidates(["graph"], "b", ["graph build", "graph rank"])
    (['geometry'], ['build'])
    >>> candidates(["train"], "encoder=m", ["train"]), candidates(["train"], "loss=[lce,rank", ["train"])
    (['encoder=mbert'], ['loss=[lce,ranknet'])
    """
    words = next((count for count in (2, 1) if " ".join(before[:count]) in verbs), 0)
    verb = " ".join(before[:words])
    if verb == "completion":
        found: Iterable[str] = SHELLS
    elif not words:
        found = _verbs(before, verbs)
    elif before[-1] in AFTER:
        found = AFTER[before[-1]]
    elif word.startswith("-"):
        found = SWITCHES
    else:
        found = _settings(verb, before[words:], word)
    return sorted({each for each in found if each.startswith(word) and each != word})


def _verbs(before: Sequence[str], verbs: Sequence[str]) -> Iterator[str]:
    """The next word of the verbs that begin with the words before."""
    for verb in verbs:
        parts = verb.split()
        if parts[: len(before)] == list(before) and len(parts) > len(before):
            yield parts[len(before)]


def _settings(verb: str, typed: Sequence[str], word: str) -> Iterator[str]:
    """Options of a group, or groups and settings."""
    sign = word[: len(word) - len(word.lstrip("+~"))]
    name, equals, value = word[len(sign) :].partition("=")
    groups = _groups(verb)
    folders = [config_folder(), *_own(typed)]
    if equals and name in groups:
        # Within brackets, each option after a comma.
        start = max(value.rfind("["), value.rfind(",")) + 1
        for folder in folders:
            yield from (f"{sign}{name}={value[:start]}{each}" for each in options(folder / name))
    elif equals:
        yield from (f"{sign}{name}={each}" for each in _values(verb, typed, name))
    else:
        yield from (f"{sign}{each}=" for each in groups if "." not in word)
        yield from (f"{sign}{each}" for each in _names(verb, typed, name))


def _groups(verb: str) -> list[str]:
    """The groups in the defaults list of a verb's root file."""
    head = (config_folder() / f"{root_name(verb)}.yaml").read_text(encoding="utf-8").partition("\n\n")[0]
    entries = [line.strip().removeprefix("- ").partition(":")[0] for line in head.splitlines() if line[:4] == "  - "]
    return [entry for entry in entries if entry != "_self_" and not entry.startswith("override")]


def _own(typed: Sequence[str]) -> list[Path]:
    """The folder of the user's own configuration."""
    places = [typed[place + 1] for place, each in enumerate(typed[:-1]) if each in ("--config-dir", "-cd")]
    return [Path(each) for each in places]


def _names(verb: str, typed: Sequence[str], name: str) -> Iterator[str]:
    """The settings that go on from the dots of a name, those that hold others with a dot at their end."""
    from omegaconf import OmegaConf

    from clir_lightning.jobs.launch.composition import composed_so_far
    from clir_lightning.jobs.launch.names import inner

    above = name.rpartition(".")[0]
    node = inner(composed_so_far(verb, typed), above)
    if OmegaConf.is_dict(node):
        for key in node:
            if not str(key).startswith("_") and (above or key != "hydra" or name.startswith("h")):
                end = "." if OmegaConf.is_dict(inner(node, str(key))) else "="
                yield f"{above}.{key}{end}" if above else f"{key}{end}"


def _values(verb: str, typed: Sequence[str], name: str) -> tuple[str, ...]:
    """Those of a setting that is true or false."""
    from clir_lightning.jobs.launch.composition import composed_so_far
    from clir_lightning.jobs.launch.names import inner

    return ("true", "false") if isinstance(inner(composed_so_far(verb, typed), name), bool) else ()
