"""Translation pairs as training data: each term asks for its translations, against those of other terms."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.checks import Problems
from clir_lightning.data.sources.source import Source, load, stamps
from clir_lightning.data.sources.term_tables import read_entries
from clir_lightning.errors import ConfigError, at_least
from clir_lightning.settings.markers import Count


@dataclass(frozen=True)
class _Pairs:
    """The pairs of all files, read when first wanted: ids of terms and of translations are their places."""

    paths: Sequence[str]
    languages: tuple[str, str]
    negatives: int
    seed: int

    @cached_property
    def table(self) -> dict[str, list[str]]:
        """Each term's translations, one each."""
        table: dict[str, dict[str, None]] = {}
        for path in self.paths:
            for term, translation, _ in read_entries(path, *self.languages):
                table.setdefault(term, {})[translation] = None
        return {term: list(translations) for term, translations in table.items()}

    @cached_property
    def ids(self) -> dict[str, str]:
        """The id of each translation's text."""
        texts = dict.fromkeys(text for translations in self.table.values() for text in translations)
        return {text: f"d{place}" for place, text in enumerate(texts)}

    def documents(self) -> Iterator[tuple[str, str]]:
        """(id, text) of the translations."""
        yield from ((document_id, text) for text, document_id in self.ids.items())

    def queries(self) -> Iterator[tuple[str, str, dict[str, int]]]:
        """(id, text, judgements) of the terms."""
        everything = list(self.ids.values())
        for place, (term, translations) in enumerate(self.table.items()):
            relevant = [self.ids[text] for text in translations]
            rng = random.Random(f"{self.seed}/{place}")
            others = rng.sample(everything, min(len(everything), self.negatives + len(relevant)))
            chosen = [document_id for document_id in others if document_id not in relevant][: self.negatives]
            yield f"q{place}", term, {**dict.fromkeys(relevant, 1), **dict.fromkeys(chosen, 0)}


def read_translations(
    paths: Sequence[str],
    *,
    query_language: str,
    document_language: str,
    negatives: Count = 9,
    seed: int = 1,
    cache: str | None = None,
) -> Collection:
    """A collection with the split `train` alone, for `data=several`: terms as queries, translations as documents.

    Args:
        paths: tables `term<TAB>translation`, or files of entity labels (`.jsonl`), as `term_tables` reads them.
        query_language, document_language: ISO 639 codes of terms and translations.
        negatives: other terms' translations that each term is judged 0 with.
        seed: decides which.
        cache: folder that the collection is prepared in, once; `None` keeps it in memory.
    """
    if not paths:
        raise ConfigError("data.paths is empty; give tables of term<TAB>translation or files of entity labels")
    at_least(negatives, 1, "data.negatives")
    pairs = _Pairs(paths, (query_language, document_language), negatives, seed)
    source = Source("translations", query_language, document_language, pairs.documents, {"train": pairs.queries})
    settings = (query_language, document_language, negatives, seed)
    files = [path for path in map(Path, paths) if path.is_file()]  # one that is missing is the reader's to report
    return load(source, Problems(), stamps=stamps(files), settings=settings, cache=cache)
