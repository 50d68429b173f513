"""`Ranker`: a trained model over texts at hand, for scripts and notebooks, and for the lists of a first stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.store.packed import PackedLists
from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError, DataError, one_of
from clir_lightning.outputs.kept import kept_scores
from clir_lightning.outputs.trained import Trained
from clir_lightning.scoring.auto import settled
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.text_encoder import TextEncoder
from clir_lightning.types import Document, Qrels, Query, Run

ASKED = "asked"  # the split that the queries at hand form


class Ranker:
    """Scores of a trained model, with the lengths, prefixes and precision that it was trained with.

    Args:
        path: what `Trained.load` reads.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: as `clir evaluate` takes it; `None` for that of training.
        tokens: of a scoring batch, `auto` for what is fastest here; `None` for as many as in training.
    """

    def __init__(
        self, path: str | Path, *, device: str = "auto", precision: str | None = None, tokens: int | str | None = None
    ) -> None:
        self.trained = Trained.load(path)
        self.at = self.trained.computing(device, precision)
        batches = self.trained.batches()
        self._batches = batches if tokens is None else replace(batches, score_size=None, score_tokens=tokens)
        self._engine = Engine(self.trained.model, self.at)

    def score(
        self, documents: Mapping[str, Document], queries: Mapping[str, Query], lists: Run, *, cache: str | None = None
    ) -> Run:
        """The model's scores of the documents that a run lists for each query.

        Args:
            documents, queries: those that `lists` names, by id.
            lists: the candidates; their scores are not read.
            cache: folder of the token store, for documents that are asked for again, and of the scores while they are
                computed: where the program is killed, the same call goes on behind the last ones.

        Raises `DataError` for a listed query or document that is not among them.
        """
        listed = Run(PackedLists.of((query, scores) for query, scores in lists.items() if scores))
        if not listed:
            return Run({query: {} for query in lists}, name=lists.name)

        # What the lists name must be there.
        for query in listed:
            unknown = next((document for document in lists[query] if document not in documents), None)
            if query not in queries or unknown is not None:
                missing = f"query {query!r}" if query not in queries else f"document {unknown!r} of query {query!r}"
                raise DataError(f"run {lists.name!r} lists {missing}, which is not given", cure="give its text too")

        # The lists as the split of a collection, which the model's own batches are made of; judgements are not read.
        split = Split({query: queries[query] for query in listed}, Qrels({query: {} for query in listed}))
        candidates = CandidateSet(Collection(ASKED, documents, {ASKED: split}), ASKED, listed, self._batches)
        candidates.tokenise(self.trained.encoder.tokenizer, cache=cache)

        # In batches as large as is fast here. Scores stand by themselves once they are returned.
        settled(self.trained.model, self.at, [candidates], cache=cache)
        batches = candidates.loader()
        kept = kept_scores(self.trained, self.at, candidates, batches, cache=cache)
        scores = self._engine.score(batches, name=lists.name, kept=kept)
        if kept is not None:
            kept.remove()
        every = ((query, scores.by_query.get(query, {})) for query in lists)
        return Run(PackedLists.of(every), name=scores.name)

    def rank(self, query: str, documents: Sequence[str] | Mapping[str, str]) -> list[tuple[str, float]]:
        """Documents with their scores for a query, best first: `[(id, score), …]`, or by text where none has an id.

        Args:
            query: its text.
            documents: texts, or texts by id.

        Equal scores are ordered by id, the higher first, as in a run. Of equal texts without ids one is ranked, with
        ids all of them. No documents give an empty list. Raises `ConfigError` for a text that is empty or none.
        """
        _check_texts({"query": query}, "rank")
        _check_texts(documents, "documents")
        texts = documents if isinstance(documents, Mapping) else {text: text for text in documents}

        # A run of one query, whose documents have no scores yet.
        records = {name: Document(name, text, "") for name, text in texts.items()}
        lists = Run({ASKED: dict.fromkeys(records, 0.0)})
        run = self.score(records, {ASKED: Query(ASKED, query, "")}, lists)
        return [(name, run[ASKED][name]) for name in run.ranking(ASKED)]

    def encode(self, texts: Sequence[str], side: Side = "document") -> NDArray[np.float32]:
        """One vector per text, `[N, P]`, in the texts' order.

        Args:
            texts: N of them; none give `[0, P]`.
            side: `query` or `document`, which decides prefix, length and, with separate towers, the encoder.

        Raises `ConfigError` for a model that gives no single vector of a text, and for a text that is empty or none.
        """
        one_of(side, ("query", "document"), "side")
        encoder = self._encoder  # says first whether there are vectors at all
        _check_texts(texts, "texts")
        records = {str(place): Document(str(place), text, "") for place, text in enumerate(texts)}
        return encoder.reader(records, side, list(records))(np.arange(len(records)))

    @cached_property
    def _encoder(self) -> TextEncoder:
        """The model as a function from texts to vectors; `ConfigError` for one that gives none."""
        return self.trained.text_encoder(self.at)


def _check_texts(texts: Sequence[str] | Mapping[str, str], name: str) -> None:
    """Raise `ConfigError`, with its place or id, for a text that is none or empty, and for one in a list's place."""
    if isinstance(texts, str):
        raise ConfigError(f"{name} is one text, {texts[:40]!r}; give a list of texts")
    for place, text in texts.items() if isinstance(texts, Mapping) else enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"{name}[{place!r}] is {text!r}; give a text that is not empty")
