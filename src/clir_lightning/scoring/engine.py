"""`Engine`: the one way from batches to scores and from texts to vectors, within a trainer and outside of one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.samplers import cut_by_budget
from clir_lightning.data.tokens.texts import Side, TextAssembler
from clir_lightning.errors import DataError
from clir_lightning.models.contracts import reads_texts
from clir_lightning.progress import Progress
from clir_lightning.scoring.ahead import ahead
from clir_lightning.scoring.computing import Computing, tokens_for
from clir_lightning.scoring.gathering import greatest_of_each
from clir_lightning.scoring.kept import Collected, KeptScores
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.scoring.processes import once, world
from clir_lightning.scoring.scorers import PairScorer, TextScorer
from clir_lightning.types import Run

log = logging.getLogger(__name__)


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

    def score(self, batches: StepLoader, *, name: str, kept: KeptScores | None = None) -> Run:
        """The run of a whole pass over candidates, under this name, with its progress.

        Of several processes each gives its own share of the batches, and all get the same run of all of them. Batches
        are made while earlier ones are computed. No vector is kept, and of a pair its score alone.

        Args:
            batches: of a `CandidateSet`, whose steps are `ScoringSteps`.
            name: the run's, and the progress bar's.
            kept: where the scores lie while the pass runs, for one that was killed to go on from; whoever has put the
                run into its place removes them.

        Raises `DataError` for a score that is not a number.
        """
        # What was scored before, by all processes alike: the first one reads it.
        steps: Any = batches.sampler
        scores = Collected(steps.lists.pairs, steps.pairs, steps.count, kept)
        done = once(scores.read)
        steps.done = set(np.flatnonzero(done).tolist())
        if steps.done:
            log.info("%d of %d steps are scored already: going on behind them", len(steps.done), steps.count)

        # This process's share, which stands for those of the others in what is shown.
        with self._pass(), self._ready() as device, ahead(iter(batches)) as made:
            try:
                self._run(made, device, steps, scores, name)
            finally:
                scores.flush()

        # Several processes may have scored the same pair: one that had none left did the first once more.
        greatest_of_each(scores.bits, device)
        return Run(steps.lists.with_scores(scores.values), name=name)

    def _run(self, made: Iterator[Any], device: torch.device, steps: Any, scores: Collected, name: str) -> None:
        """Score this process's batches, those of documents alone first."""
        size = world()[1]
        before = sum(len(steps.pairs(number)) for number in steps.done)
        documents = Progress(f"encoding documents of {name}", "documents", steps.alone)
        pairs = Progress(f"scoring {name}", "pairs", steps.lists.pairs, done=before)
        turns = iter(steps.turns())
        under_way: tuple[int, Tensor] | None = None

        # A step's scores are asked for when the next one is under way: a GPU never waits for them.
        with documents, pairs:
            for batch in made:
                (pairs if batch.samples else documents).begin()
                found = self.step(batch.to(device))
                if batch.samples:
                    self._take(scores, steps, under_way)
                    under_way = (next(turns), found)
                    pairs.advance(size * found.numel())
                else:
                    documents.advance(size * len(batch.documents))
            self._take(scores, steps, under_way)

    @staticmethod
    def _take(scores: Collected, steps: Any, found: tuple[int, Tensor] | None) -> None:
        """Keep a step's scores. Raises `DataError`, with its pair, for one that is not a number."""
        if found is None:
            return
        number, tensor = found
        values = tensor.float().flatten().cpu().numpy()
        if np.isnan(values).any():
            query, document = steps.lists.names(int(steps.pairs(number)[np.isnan(values).argmax()]))
            problem = f"the score of document {document!r} for query {query!r} is not a number"
            raise DataError(problem, cure="look for an input or a loss that is not finite")
        scores.add(number, values)

    def encode(
        self,
        texts: TextAssembler,
        rows: NDArray[np.int64],
        side: Side,
        *,
        tokens: int | None = None,
        name: str | None = None,
    ) -> NDArray[np.float32]:
        """The vectors `[N, P]` of the texts in these rows, in their order, from a model with one vector per text.

        Args:
            texts: of one side.
            rows: `[N]` in the token store.
            side: which of the model's towers and means is used.
            tokens: encoded at a time, padding included, texts of similar length together; `None` for `tokens_for`.
            name: under which progress is told; `None` tells none.
        """
        # The longest first: its batch shows whether memory suffices.
        lengths = texts.lengths(rows)
        order = np.argsort(-lengths, kind="stable")
        vectors = np.empty((len(rows), self.model.width), np.float32)

        # Each batch's vectors [n, P] go to the places that its texts were asked for in.
        progress = None if name is None else Progress(name, "texts", len(rows))
        with self._ready() as device, progress or nullcontext():
            limit = tokens or tokens_for(device)
            for cut in cut_by_budget(lengths[order], width=1, tokens=limit, size=None):
                batch = texts.texts(rows[order[cut]]).to(device)
                parts = self._budget(lambda part: self.model.encode(part, side), batch)
                vectors[order[cut]] = torch.cat([encoded for _, encoded in parts]).float().cpu().numpy()
                if progress:
                    progress.advance(len(batch))
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
        at = self.at or Computing(next(self.model.parameters()).device)
        with at.scoring(self.model):
            yield at.device


def _scorer(model: Any, budget: TokenBudget) -> PairScorer | TextScorer:
    """What scores a model's batches, by the contract that the model keeps."""
    return TextScorer(model, budget) if reads_texts(model) else PairScorer(model, budget)
