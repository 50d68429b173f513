"""`clir VERB overrides…`: one program, each verb a Hydra application with its own root file in `conf/`."""

from __future__ import annotations

import os
import sys

from clir_lightning import __version__
from clir_lightning.configuration import config_folder, root_name
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch.completion import complete
from clir_lightning.jobs.launch.usage import family_usage, usage, verb_usage
from clir_lightning.limits import limit_threads
from clir_lightning.settings.spelling import nearest

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
    "graph build": (
        "a graph of entities with terms in two languages, from a Wikidata dump",
        "clir graph build dump=latest-all.json.gz languages=[zh,kk] path=FOLDER",
    ),
    "graph inspect": (
        "counts of a graph, what its entities are called, and how they are connected",
        "clir graph inspect graph=FOLDER",
    ),
    "graph reduce": (
        "a graph without the statements that give judgements away, or with other edges",
        "clir graph reduce graph=FOLDER path=NEW data=demo splits=[train,dev,test1]",
    ),
    "graph rank": (
        "candidates by how often walks from the query's entity end at theirs, as run files",
        "clir graph rank graph=FOLDER data=demo splits=[dev,test1]",
    ),
    "graph link": (
        "which entities of a graph texts name, and how often that is right",
        "clir graph link graph=FOLDER query=哈萨克语",
    ),
    "topics": (
        "topics of the documents in both languages, and whether queries share them",
        "clir topics data=demo topics=20 path=FOLDER",
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
    "browse": (
        "a local page: lists of models and runs side by side, with texts, grades, matches and entities",
        "clir browse",
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
    "doctor": (
        "what this machine has, what is missing and how to get it",
        "clir doctor",
    ),
    "cache list": (
        "what is kept in the cache: of what, how large, when last used",
        "clir cache list",
    ),
    "cache prune": (
        "remove from the cache what has long not been used",
        "clir cache prune older_than=30d",
    ),
}


# The verbs by what they are for, the most used first; a group's name stands for its verbs in `clir GROUP --help`.
GROUPS = {
    "train": ("train", "mine"),
    "rank": ("retrieve", "search", "fuse"),
    "judge": ("evaluate", "compare", "geometry", "browse"),
    "data": ("data inspect", "data fetch", "data export", "data triples"),
    "knowledge": ("graph build", "graph inspect", "graph link", "graph rank", "graph reduce", "topics"),
    "share": ("export", "dashboard"),
    "machine": ("doctor", "cache list", "cache prune", "completion"),
}

# What is no job, and takes no settings.
OTHERS = {"completion": ("what a shell needs to complete commands", 'eval "$(clir completion bash)"')}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `clir` program."""
    try:
        _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output has read enough, as `head` does; what Python writes at its end must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(arguments: list[str]) -> None:
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage({**VERBS, **OTHERS}, GROUPS))
    elif arguments[0] == "--version":
        print(f"clir {__version__}")
    elif arguments[0] in OTHERS and not _asks_for_help(arguments):
        complete(arguments[1:], VERBS)
    else:
        _verb(arguments)


def _asks_for_help(arguments: list[str]) -> bool:
    return "-h" in arguments or "--help" in arguments


def _verb(arguments: list[str]) -> None:
    """Run a verb, or show its help or its family's: it is one word or two, and what follows is Hydra's."""
    words = next((count for count in (2, 1) if " ".join(arguments[:count]) in VERBS), 0)
    verb = " ".join(arguments[:words])
    rest = arguments[words:]
    if words and _asks_for_help(rest):
        print(verb_usage(verb, VERBS[verb][0]))
    elif words:
        run_verb(verb, rest)
    elif (family := _family(arguments[0])) and _asks_for_help(rest):
        print(family_usage(arguments[0], family))
    else:
        sys.exit(f"clir: {_no_verb(arguments)}")


def _family(name: str) -> dict[str, tuple[str, str]]:
    """The verbs that begin with a word, or those of a group."""
    known = {**VERBS, **OTHERS}
    ordered = [verb for group in GROUPS.values() for verb in group if verb in known]
    of_group = GROUPS.get(name, ())
    return {verb: known[verb] for verb in ordered if verb in (name, *of_group) or verb.startswith(f"{name} ")}


def _no_verb(arguments: list[str]) -> str:
    """What to say of words that are no verb."""
    words = [each for each in arguments[:2] if "=" not in each and not each.startswith("-")]
    typed = " ".join(words) or arguments[0]
    if len(words) == 1 and (family := _family(words[0])):
        return f"{typed} is several verbs: {', '.join(family)}; 'clir {typed} --help' says what they do"

    # The nearest by both words, or by the first alone.
    known = {verb.replace(" ", "."): verb for verb in (*VERBS, *OTHERS)}
    near = nearest(".".join(words), known) or nearest(words[0], known) if words else []
    hint = f"; did you mean {' or '.join(known[each] for each in near)}?" if near else ";"
    return f"there is no verb {typed}{hint} 'clir --help' lists them"


def run_verb(verb: str, typed: list[str]) -> None:
    """Run a verb's job as a Hydra application, once its settings are known to be there."""
    # Before the libraries that read it are imported.
    limit_threads()

    # Here and not above: help has no need of them.
    import hydra
    from omegaconf import DictConfig

    # Of this program, what imports Hydra.
    from clir_lightning.jobs.launch.composition import ready
    from clir_lightning.jobs.launch.job import job_of, run

    # What cannot be composed is answered before the job and its libraries are imported.
    try:
        arguments, shows = ready(verb, typed)
    except ConfigError as error:
        sys.exit(f"clir {verb}: {error}")

    # Imported before Hydra sets up logging, whose handlers Lightning would write to otherwise.
    if not shows:
        job_of(verb)

    # What Hydra calls for the command, or for each job of a sweep.
    def task(config: DictConfig) -> object:
        return run(verb, config)

    # Hydra reads `sys.argv`.
    sys.argv = [f"clir {verb}", *arguments]
    hydra.main(config_path=str(config_folder()), config_name=root_name(verb), version_base="1.3")(task)()
