"""`clir VERB overrides…`: one program, each verb a Hydra application with its own root file in `conf/`."""

from __future__ import annotations

import sys

from clir_lightning.configuration import config_folder, root_name
from clir_lightning.jobs.launch.usage import usage, verb_usage

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
OF_TRAINED_DATA = ("evaluate", "search", "geometry", "mine", "compare")


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `clir` program."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(VERBS))
        return

    # A verb is one word or two; what follows is Hydra's.
    words = next((count for count in (2, 1) if " ".join(arguments[:count]) in VERBS), 0)
    verb = " ".join(arguments[:words])
    rest = arguments[words:]
    if not words:
        sys.exit(f"clir: there is no verb {' '.join(arguments[:2])!r}; allowed: {', '.join(VERBS)}")
    if "-h" in rest or "--help" in rest:
        print(verb_usage(verb, VERBS[verb][0]))
        return
    run_verb(verb, rest)


def run_verb(verb: str, typed: list[str]) -> None:
    """Run a verb's job as a Hydra application; names that aren't there are answered with the nearest there are."""
    # Here and not above: help has no need of them.
    import hydra
    from omegaconf import DictConfig

    # Of this program, what imports Hydra.
    from clir_lightning.jobs.launch.job import job_of, run
    from clir_lightning.jobs.launch.nearest import nearest

    # Imported before Hydra sets up logging, whose handlers Lightning would write to otherwise.
    job_of(verb)

    # What Hydra calls for the command, or for each job of a sweep.
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

    So it is with a model's knowledge. The job itself rejects a setting that these do not have.

    >>> of_any_data("evaluate", "knowledge.graph.path=FOLDER")
    '++knowledge.graph.path=FOLDER'
    >>> of_any_data("evaluate", "data.path=FOLDER"), of_any_data("train", "data.path=FOLDER")
    ('++data.path=FOLDER', 'data.path=FOLDER')
    """
    trained = override.startswith("data.") or (verb == "evaluate" and override.startswith("knowledge."))
    return f"++{override}" if verb in OF_TRAINED_DATA and trained else override
