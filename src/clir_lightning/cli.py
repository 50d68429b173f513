"""`clir VERB overrides…`: one program, each verb a Hydra application with its own root file in `conf/`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

from clir_lightning.configuration import config_folder, root_name

VERBS = {
    "train": ("train a model, score the test candidates, print the table", "clir train data=demo encoder=tiny"),
    "retrieve": ("candidate lists for a collection, as TREC run files", "clir retrieve data=demo retriever=bm25"),
    "fuse": ("one run file of several, weights given or tuned", "clir fuse runs=[a.trec,b.trec]"),
    "search": (
        "documents for queries of a file, a split or the prompt, by a dual model",
        "clir search model=outputs/… topics=topics.tsv",
    ),
    "mine": (
        "hard negatives of a run file, for the next round of training",
        "clir mine data=demo run=train.trec filters.ratio=0.95",
    ),
    "geometry": (
        "how a dual model's vectors lie, before and after centring and whitening",
        "clir geometry model=outputs/… split=dev",
    ),
    "export": (
        "a model as a folder that sentence-transformers loads",
        "clir export model=outputs/… path=FOLDER",
    ),
    "evaluate": (
        "measures of a run file, or of a model on a split",
        "clir evaluate run=FILE qrels=FILE",
    ),
    "compare": (
        "systems over seeds, with tests of significance and a report",
        "clir compare runs=['outputs/*/*'] baseline=cross",
    ),
    "dashboard": (
        "a view of a W&B project that compares the values of a setting",
        "clir dashboard entity=TEAM by=encoder.name",
    ),
    "data inspect": (
        "a collection's card: counts, lengths, grades, what is missing or twice",
        "clir data inspect data=demo",
    ),
    "data export": (
        "write a collection in the BEIR, TREC or CLIRMatrix layout",
        "clir data export data=demo layout=beir path=FOLDER",
    ),
    "data triples": (
        "write the training samples of an epoch to a file",
        "clir data triples data=demo sampling=original path=triples.tsv",
    ),
    "data fetch": (
        "fetch a CLIRMatrix pair, or say which files to put where",
        "clir data fetch query_language=zh document_language=kk path=FOLDER",
    ),
}


# Their `data` is what a model or an output folder names, with settings changed.
OF_TRAINED_DATA = ("evaluate", "search", "geometry", "compare")
COMMENTS = 32  # the column in which the configuration's comments stand


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `clir` program."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return

    # A verb is one word or two; what follows is Hydra's.
    words = next((count for count in (2, 1) if " ".join(arguments[:count]) in VERBS), 0)
    verb = " ".join(arguments[:words])
    rest = arguments[words:]
    if not words:
        sys.exit(f"clir: there is no verb {' '.join(arguments[:2])!r}; allowed: {', '.join(VERBS)}")
    if "-h" in rest or "--help" in rest:
        print(verb_usage(verb))
        return
    run_verb(verb, rest)


def run_verb(verb: str, typed: list[str]) -> None:
    """Run a verb's job as a Hydra application; names that aren't there are answered with the nearest there are."""
    # Here and not above: help has no need of them.
    import hydra
    from omegaconf import DictConfig

    from clir_lightning.jobs.launch.job import run
    from clir_lightning.jobs.launch.nearest import nearest

    # Hydra calls it for the command, or for each job of a sweep.
    begun = False

    def task(config: DictConfig) -> object:
        nonlocal begun
        begun = True
        return run(verb, config)

    # Hydra reads `sys.argv`, and ends the program with status 1 when it cannot compose the configuration.
    overrides = [of_any_data(verb, verbatim(override)) for override in typed]
    sys.argv = [f"clir {verb}", *overrides]
    try:
        hydra.main(config_path=str(config_folder()), config_name=root_name(verb), version_base="1.3")(task)()
    except SystemExit as end:
        if end.code == 1 and not begun:
            for line in nearest(root_name(verb), overrides, config_folder()):
                print(f"clir {verb}: {line}", file=sys.stderr)
        raise


def verbatim(override: str) -> str:
    """A typed query in quotes, whatever characters it has: Hydra's grammar takes few without.

    >>> verbatim("query=哈萨克语?"), verbatim("depth=5")
    ("query='哈萨克语?'", 'depth=5')
    """
    name, _, text = override.partition("=")
    if name != "query" or text[:1] in ("'", '"') or text in ("", "null"):
        return override
    return "query='{}'".format(text.replace("\\'", "'").replace("'", "\\'"))


def of_any_data(verb: str, override: str) -> str:
    """A setting of the data, also where the verb's own file does not list it: the data of a model has it.

    The job itself rejects a setting that this data does not have.

    >>> of_any_data("evaluate", "data.path=FOLDER"), of_any_data("train", "data.path=FOLDER")
    ('++data.path=FOLDER', 'data.path=FOLDER')
    """
    return f"++{override}" if verb in OF_TRAINED_DATA and override.startswith("data.") else override


def usage() -> str:
    """What `clir --help` prints: every verb with an example."""
    lines = ["clir: experiments in cross-lingual information retrieval", "", "usage: clir VERB [setting=value …]", ""]
    for verb, (what, example) in VERBS.items():
        lines += _wrapped(what, f"  {verb:<12} ", " " * 15)
        lines += _command(example, " " * 17)
    closing = "clir VERB --help lists a verb's groups and settings; clir VERB --cfg job prints its configuration."
    return "\n".join([*lines, "", *_wrapped(closing)])


def verb_usage(verb: str) -> str:
    """What `clir VERB --help` prints: its examples, the groups with their options, and its file's settings."""
    file = config_folder() / f"{root_name(verb)}.yaml"
    root = file.read_text(encoding="utf-8")
    lines = [*_wrapped(f"clir {verb}: {VERBS[verb][0]}"), ""]
    for example in _examples(file):
        lines += _command(example, "  ")

    # Each group of the file's defaults list.
    groups = [path for path in sorted(config_folder().iterdir()) if path.is_dir() and f"- {path.name}:" in root]
    if groups:
        lines += ["", "groups (name=option):"]
    for group in groups:
        options = sorted(str(path.relative_to(group).with_suffix("")) for path in group.rglob("*.yaml"))
        lines += _wrapped(", ".join(options), f"  {group.name:<12} ", " " * 15)
        lines += _command(_examples(group / f"{options[0]}.yaml")[0], " " * 17)

    # What stands between the defaults list and Hydra's own settings.
    lines += ["", "settings, each changed by name=value (a.b=value inside):"]
    for line in root.partition("\n\n")[2].partition("\nhydra:")[0].splitlines():
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
