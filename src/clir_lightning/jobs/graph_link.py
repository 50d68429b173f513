"""`clir graph link`: which entities of a graph texts name, and how often that is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from clir_lightning.build import build
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import tab_texts, write_whole
from clir_lightning.data.files.trec import read_qrels
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.knowledge.coverage import Coverage, coverage, read_truth
from clir_lightning.knowledge.documents import WAYS, document_links
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Link, Linker, language_of
from clir_lightning.knowledge.normal import normal

GIVEN = ("query", "queries", "split", "documents")
Links = Mapping[str, Sequence[Link]]


def main(config: DictConfig) -> None:
    """Run the job."""
    given = [name for name in GIVEN if config[name] is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise ConfigError(f"give one of query=TEXT, queries=FILE, split=NAME and documents=auto; got {got}")
    if given[0] in ("split", "documents") and "_target_" not in config.data:
        raise ConfigError(f"{given[0]} is of a collection; add data=…")
    graph = Graph.open(config.graph)
    if config.query is not None:
        linker = Linker(graph, config.language or graph.languages[0])
        Console().print(links_table(graph, linker.language, str(config.query), linker.link(str(config.query))))
        return

    # What links, and how it compares with what is known.
    language, texts, links = _linked(graph, config)
    result = coverage(graph, language, links, read_truth(config.truth))
    Console().print(coverage_table(result))
    if config.show and result.missed:
        Console().print(missed_table(graph, language, texts, result, config.show))
    if config.path is not None:
        write_links(config.path, texts, links)


def _linked(graph: Graph, config: DictConfig) -> tuple[str, Mapping[str, str], Links]:
    """The graph's code of the texts' language, the texts and their links, by id."""
    if config.documents is not None:
        one_of(config.documents, WAYS, "documents")
        collection: Collection = build(config.data)
        language = language_of(graph, collection.document_language)
        documents = collection.documents
        found = document_links(graph, documents, language, config.documents)
        links = {document_id: [link] if link else [] for document_id, link in found}
        return language, {document_id: documents[document_id].text for document_id in links}, links

    # Queries of a file or of a split.
    if config.queries is not None:
        texts = tab_texts(config.queries)
        code = config.language or graph.languages[0]
    else:
        collection = build(config.data)
        texts = {name: query.text for name, query in collection.split(config.split).queries.items()}
        code = collection.query_language
    if config.judged is not None:
        judged = read_qrels(config.judged)
        texts = {name: text for name, text in texts.items() if name in judged}
    linker = Linker(graph, code)
    return linker.language, texts, dict(zip(texts, linker.links(list(texts.values())), strict=True))


def _label(graph: Graph, entity: str, language: str) -> str:
    terms = graph.terms([entity]).get(entity, {}).get(language)
    return terms.label if terms else ""


def links_table(graph: Graph, language: str, text: str, links: Sequence[Link]) -> Table:
    """All links of one text, best first, with the entities' labels in all languages."""
    entities = "no entity" if not links else "1 entity" if len(links) == 1 else f"{len(links)} entities"
    table = Table(title=f"{text}: names {entities}", title_justify="left")
    for heading in ("entity", *(f"label ({code})" for code in graph.languages), "rule", "part", "score"):
        table.add_column(heading)
    key = normal(text, language)
    for link in links:
        labels = [_label(graph, link.entity, code) for code in graph.languages]
        table.add_row(link.entity, *labels, link.rule, key[link.start : link.stop], f"{link.score:.2f}")
    return table


def share(count: int, whole: int) -> str:
    """A count with what part of the whole it is.

    >>> share(3, 12), share(0, 0)
    ('3 (25.0 %)', '0')
    """
    return f"{count:,} ({100 * count / whole:.1f} %)" if whole else f"{count:,}"


def coverage_table(result: Coverage) -> Table:
    """One row per fact: how many texts are linked, by which rules, and how many rightly."""
    table = Table(show_header=False)
    table.add_row("texts", f"{result.texts:,}")
    table.add_row("linked", share(result.linked, result.texts))
    for rule, count in sorted(result.rules.items(), key=lambda item: -item[1]):
        table.add_row(f"  by {rule}", share(count, result.texts))
    table.add_row("ambiguous: another entity is as good", share(result.ambiguous, result.texts))

    # Only of the texts whose entity is known.
    if result.known:
        table.add_row("entity known", share(result.known, result.texts))
        table.add_row("right", share(result.right, result.known))
        for rule, (right, count) in result.rules_right.items():
            table.add_row(f"  of those by {rule}", f"{right:,} of {count:,}")
        for why, missed in sorted(result.missed.items(), key=lambda item: -len(item[1])):
            table.add_row(f"wrong: {why}", share(len(missed), result.known))
    return table


def missed_table(graph: Graph, language: str, texts: Mapping[str, str], result: Coverage, show: int) -> Table:
    """The first failures of each cause."""
    table = Table(title="failures", title_justify="left")
    for heading in ("cause", "text", "entity", "linked to", "rule"):
        table.add_column(heading)
    for why, missed in sorted(result.missed.items(), key=lambda item: -len(item[1])):
        for text_id, entity, link in missed[:show]:
            got = f"{link.entity} {_label(graph, link.entity, language)}" if link else ""
            table.add_row(why, texts[text_id][:40], entity, got, link.rule if link else "")
    return table


def write_links(path: str, texts: Mapping[str, str], links: Links) -> None:
    """A line for each text, its best link in it: id, entity, rule, score, text; empty fields where there is none."""
    with write_whole(path) as stream:
        for text_id, found in links.items():
            fields = (found[0].entity, found[0].rule, f"{found[0].score:.3f}") if found else ("", "", "")
            stream.write("\t".join((text_id, *fields, " ".join(texts[text_id].split()))) + "\n")
