"""`Engine`: the one way from batches to scores and from texts to vectors, within a trainer and outside of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from clir_lightning.data.batches.samplers import cut_by_budget
from clir_lightning.data.tokens.texts import Side, TextAssembler
from clir_lightning.models.contracts import reads_texts
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.scoring.processes import gather_objects, world
from clir_lightning.scoring.scorers import PairScorer, TextScorer
from clir_lightning.types import Run

BATCH_TOKENS = 16384


class Engine:
    """Scores and vectors of one model, which survives running out of memory.

    Args:
        model: a `PairModel` or a `TextModel` (`models.contracts`).
        at: device and precision of `score` and `encode`; `None` leaves the model where it is, in the precision of the
            surrounding code, as within a Lightning trainer.
    """

    def __init__(self, model: nn.Module, at: Computing | None = None) -> None:
        self.model: Any = model
        self.at = at
        self._budget = TokenBudget()
        self._scorer = _scorer(model, self._budget)

    @property
    def documents(self) -> Mapping[int, Tensor]:
        """The documents' vectors of this pass, of all processes once a query was scored; see `TextScorer`.

        Nothing for a model of pairs.
        """
        return self._scorer.documents if isinstance(self._scorer, TextScorer) else {}

    @property
    def queries(self) -> Mapping[str, Tensor]:
        """The vectors of the queries that this process scored in this pass, by id. Nothing for a model of pairs."""
        return self._scorer.queries if isinstance(self._scorer, TextScorer) else {}

    def reset(self) -> None:
        """Forget vectors, at a pass's end and before another: of another state of the model perhaps."""
        self._scorer.reset()

    def step(self, batch: Any) -> Tensor:
        """Scores `[B, D]` of one batch that lies on the model's device; `[0, 0]` of one of documents alone.

        For a trainer's loop, which sees to gradients, modes and precision itself, and to `reset`; an error ends the
        pass. Raises `OrderError`.
        """
        try:
            return self._scorer(batch)
        except BaseException:
            self.reset()
            raise

    def score(self, batches: Iterable[Any], *, name: str) -> Run:
        """The run of a whole pass over scoring batches, under this name, with a progress bar after a second.

        Of several processes each gives its own share of the batches, and all get the same run of all of them. No vector
        is kept.
        """
        # This process's batches, whose documents alone have no samples.
        lists: dict[str, dict[str, float]] = {}
        bar = tqdm(batches, desc=f"scoring {name}", unit=" batches", leave=False, delay=1, disable=world()[0] > 0)
        with self._pass(), self._ready() as device:
            for batch in bar:
                scores = self.step(batch.to(device))
                for sample, row in zip(batch.samples, scores.float().cpu().tolist(), strict=True):
                    lists.setdefault(sample.query_id, {}).update(zip(sample.document_ids, row, strict=True))

        # Several processes may have scored a query's documents, and two of them the same pair.
        merged: dict[str, dict[str, float]] = {}
        for share in gather_objects(lists):
            for query, scored in share.items():
                merged.setdefault(query, {}).update(scored)
        return Run(merged, name=name)

    def encode(
        self,
        texts: TextAssembler,
        rows: NDArray[np.int64],
        side: Side,
        *,
        tokens: int = BATCH_TOKENS,
        name: str | None = None,
    ) -> NDArray[np.float32]:
        """The vectors `[N, P]` of the texts in these rows, in their order, from a model with one vector per text.

        Args:
            texts: of one side.
            rows: `[N]` in the token store.
            side: which of the model's towers and means is used.
            tokens: encoded at a time, padding included; texts of similar length come together.
            name: of a progress bar, which shows after a second; `None` shows none.
        """
        # The longest first: its batch shows whether memory suffices.
        lengths = texts.lengths(rows)
        order = np.argsort(-lengths, kind="stable")
        vectors = np.empty((len(rows), self.model.width), np.float32)

        # Each batch's vectors [n, P] go to the places that its texts were asked for in.
        bar = tqdm(desc=name, total=len(rows), unit=" texts", leave=False, disable=name is None, delay=1)
        with self._ready() as device, bar:
            for cut in cut_by_budget(lengths[order], width=1, tokens=tokens, size=None):
                batch = texts.texts(rows[order[cut]]).to(device)
                parts = self._budget(lambda part: self.model.encode(part, side), batch)
                vectors[order[cut]] = torch.cat([encoded for _, encoded in parts]).float().cpu().numpy()
                bar.update(len(batch))
        return vectors

    @contextmanager
    def _pass(self) -> Iterator[None]:
        """A pass that begins and ends, however it ends, without vectors."""
        self.reset()
        try:
            yield
        finally:
            self.reset()

    @contextmanager
    def _ready(self) -> Iterator[torch.device]:
        """The model on its device, which is given, without dropout and gradients and in the precision of `at`."""
        training = self.model.training
        self.model.eval()
        try:
            if self.at is None:
                with torch.inference_mode():
                    yield next(self.model.parameters()).device
            else:
                self.model.to(self.at.device)
                with torch.inference_mode(), self.at.context():
                    yield self.at.device
        finally:
            self.model.train(training)


def _scorer(model: Any, budget: TokenBudget) -> PairScorer | TextScorer:
    """What scores a model's batches, by the contract that the model keeps."""
    return TextScorer(model, budget) if reads_texts(model) else PairScorer(model, budget)
