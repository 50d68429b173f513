"""`clir graph inspect`: a graph's card, and its terms as a table for translation."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from clir_lightning.data.files.lines import write_whole
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.card import card, dump_card, term_table, top_properties
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import language_of


def main(config: DictConfig) -> None:
    """Run the job."""
    graph = Graph.open(config.graph)
    languages = list(graph.languages[:2] if config.languages is None else config.languages)
    if config.terms is not None and len(languages) != 2:
        raise ConfigError(f"terms are of two languages, got {', '.join(languages) or 'none'}; give languages=[zh,kk]")
    source, target = (language_of(graph, language) for language in languages) if config.terms else ("", "")

    # One row per fact.
    table = Table(title=f"{graph.path}: {', '.join(graph.languages)}", show_header=False, title_justify="left")
    for name, value in card(graph):
        table.add_row(name, value)
    source_files = graph.manifest.get("source", [])
    table.add_row("source", source_files if isinstance(source_files, str) else "\n".join(source_files))
    for name, value in dump_card(graph.manifest):
        table.add_row(name, value)
    table.add_row("condition", conditions(graph))
    console = Console()
    console.print(table)

    # What connects them, and their names as translations.
    if found := top_properties(graph, config.properties):
        properties = Table("property", "label", "statements", title="most frequent properties", title_justify="left")
        for name, label, count in found:
            properties.add_row(name, label, f"{count:,}")
        console.print(properties)
    if config.terms is not None:
        count = write_terms(graph, source, target, config.terms)
        console.print(f"{count:,} pairs of terms, {source} to {target}: {config.terms}", soft_wrap=True)


def conditions(graph: Graph) -> str:
    """What was taken out of a graph, in words."""
    told = graph.manifest.get("condition")
    if not told:
        return "whole: nothing was taken out"
    words = [f"judged statements {told.get('judged', 'kept')}"]
    if told["pairs"]:
        of = f" in {told['data']} ({told['splits']})" if "data" in told else ""
        words[0] += f": {told['statements_removed']:,} between {told['pairs']:,} pairs of entities{of}"
    words.append(
        f"edges {told['edges']}" + (f" (seed {told['seed']})" if told["edges"] in ("shuffled", "random") else "")
    )
    return "; ".join(words)


def write_terms(graph: Graph, source: str, target: str, path: str) -> int:
    """Write the bilingual term table; returns how many lines it has."""
    count = 0
    with write_whole(path) as stream:
        for term, translation, weight in term_table(graph, source, target):
            stream.write(f"{term}\t{translation}\t{weight:g}\n")
            count += 1
    return count
