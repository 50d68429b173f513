"""`clir VERB overrides…`: one program, each verb a Hydra application with its own root file in `conf/`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from clir_lightning.configuration import config_folder

VERBS = {
    "train": ("train a model, score the test candidates, print the table", "clir train data=demo encoder=tiny"),
    "retrieve": ("candidate lists for a collection, as TREC run files", "clir retrieve data=demo retriever=bm25"),
    "fuse": ("one run file of several, weights given or tuned", "clir fuse runs=[a.trec,b.trec]"),
    "search": (
        "documents for queries of a file, a split or the prompt, by a dual model",
        "clir search checkpoint=CKPT topics=topics.tsv",
    ),
    "mine": (
        "hard negatives of a run file, for the next round of training",
        "clir mine data=demo run=train.trec filters.ratio=0.95",
    ),
    "geometry": (
        "how a dual model's vectors lie, before and after centring and whitening",
        "clir geometry checkpoint=CKPT split=dev",
    ),
    "export": (
        "a model as a folder that sentence-transformers loads",
        "clir export checkpoint=CKPT path=FOLDER",
    ),
    "evaluate": (
        "measures of a run file, or of a checkpoint on a split",
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


# Their `data` is what a checkpoint or an output folder names, with settings changed.
OF_TRAINED_DATA = ("evaluate", "search", "geometry", "compare")


def root_name(verb: str) -> str:
    """The name of a verb's root file in `conf/` and of its job."""
    return verb.replace(" ", "_")


def _examples(file: Path) -> list[str]:
    """The commands in the head of a configuration file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# clir ")]


def _groups(verb: str) -> list[str]:
    """A line per configuration group that the verb's defaults list names, with its options and an example."""
    root = (config_folder() / f"{root_name(verb)}.yaml").read_text(encoding="utf-8")
    lines = []
    for folder in sorted(path for path in config_folder().iterdir() if path.is_dir() and f"- {path.name}:" in root):
        files = sorted(folder.glob("*.yaml"))
        if files:
            options = ", ".join(file.stem for file in files)
            lines.append(f"  {folder.name + '=…':<14} {options:<20} {_examples(files[0])[0]}")
    return lines


def usage() -> str:
    """What `clir --help` prints."""
    verbs = [f"  {verb:<12} {what}\n  {'':<12}   {example}" for verb, (what, example) in VERBS.items()]
    return "\n".join(
        [
            "clir: experiments in cross-lingual information retrieval",
            "",
            "usage: clir VERB [setting=value …]",
            "",
            *verbs,
            "",
            "clir VERB --help lists a verb's groups and settings; clir VERB --cfg job prints its configuration.",
        ]
    )


def verb_usage(verb: str) -> str:
    """What `clir VERB --help` prints."""
    root = (config_folder() / f"{root_name(verb)}.yaml").read_text(encoding="utf-8")
    settings = root.partition("\n\n")[2].partition("\nhydra:")[0]
    groups = _groups(verb)
    return "\n".join(
        [
            f"clir {verb}: {VERBS[verb][0]}",
            "",
            *(f"  {example}" for example in _examples(config_folder() / f"{root_name(verb)}.yaml")),
            "",
            *(["groups (option, choices, example):", *groups, ""] if groups else []),
            "settings, each changed by name=value (a.b=value inside):",
            *(f"  {line}" for line in settings.splitlines()),
            "",
            "-m runs every combination of comma-separated values; --cfg job prints the composed configuration;",
            "--info defaults-tree shows where it comes from; --config-dir DIR adds your own files; --hydra-help.",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `clir` program."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    words = next((count for count in (2, 1) if " ".join(arguments[:count]) in VERBS), 0)
    verb, rest = " ".join(arguments[:words]), arguments[words:]
    if not words:
        sys.exit(f"clir: there is no verb {' '.join(arguments[:2])!r}; allowed: {', '.join(VERBS)}")
    if "-h" in rest or "--help" in rest:
        print(verb_usage(verb))
        return
    run_verb(verb, rest)


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
    """A setting of the data, also where the verb's own file does not list it: the data of a checkpoint has it.

    The job itself rejects a setting that this data does not have.

    >>> of_any_data("evaluate", "data.path=FOLDER"), of_any_data("train", "data.path=FOLDER")
    ('++data.path=FOLDER', 'data.path=FOLDER')
    """
    return f"++{override}" if verb in OF_TRAINED_DATA and override.startswith("data.") else override


def run_verb(verb: str, overrides: list[str]) -> None:
    """Run a verb's job as a Hydra application; an error of the user's ends it with one line and status 1."""
    import hydra
    from omegaconf import DictConfig, MissingMandatoryValue

    from clir_lightning.build import without_value
    from clir_lightning.errors import ClirError
    from clir_lightning.jobs.launch.quiet import quiet
    from clir_lightning.jobs.launch.sweep import guarded, in_sweep

    job = importlib.import_module(f"clir_lightning.jobs.{root_name(verb)}").main

    def task(config: DictConfig) -> object:
        quiet()
        if in_sweep():
            return guarded(job, config)
        try:
            return job(config)
        except ClirError as error:
            sys.exit(f"clir {verb}: {error}")
        except MissingMandatoryValue as error:
            sys.exit(f"clir {verb}: {without_value(error)}")

    sys.argv = [f"clir {verb}", *(of_any_data(verb, verbatim(override)) for override in overrides)]
    hydra.main(config_path=str(config_folder()), config_name=root_name(verb), version_base="1.3")(task)()
