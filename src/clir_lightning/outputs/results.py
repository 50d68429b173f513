"""What a training has to show for itself: the files of its results, the table, and the page of a W&B run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytorch_lightning.loggers import Logger
from rich.console import Console

from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import read_run, write_qrels
from clir_lightning.evaluation.evaluate import Evaluation
from clir_lightning.evaluation.per_query import write_per_query
from clir_lightning.evaluation.tables import result_table
from clir_lightning.lightning.loggers.wandb_run import hardest, report
from clir_lightning.models.model_folder import FOLDER as MODEL
from clir_lightning.outputs.baselines import BASELINES
from clir_lightning.outputs.folder import tell_files
from clir_lightning.outputs.provenance import write_json

MONITOR = "ndcg_10"  # of validation: the best epoch is that with the highest, and sweeps maximise it
RUN = Path("runs") / "test.trec"
FILES = (
    *("metrics.json", "provenance.json", "per_query.csv", "runs/val.qrels", "runs/test.qrels", str(RUN)),
    *(f"runs/test.{name}.trec" for name in BASELINES),
)


@dataclass(frozen=True)
class Results:
    """The results of a training whose test run lies in its output folder.

    Args:
        name: the system's.
        folder: the output folder.
        data: what it was trained and tested on.
        evaluations: by stage, `val` of the best epoch and `test`.
    """

    name: str
    folder: Path
    data: RankingDataModule
    evaluations: Mapping[str, Evaluation]

    def write(self) -> None:
        """Write judgements and measures, `metrics.json` last: a folder that has it is a finished job's."""
        for stage, scored in self.data.candidates.items():
            write_qrels(scored.qrels, self.folder / "runs" / f"{stage}.qrels")
        write_per_query(self.evaluations["test"], self.folder / "per_query.csv")
        write_json({stage: self.evaluations[stage].means for stage in ("val", "test")}, self.folder / "metrics.json")

    def show(self, around: Sequence[Evaluation], notes: Sequence[str]) -> None:
        """Print the table, with the rows `around` that the result stands between, and the notes below it."""
        test = self.evaluations["test"]
        title = (
            f"{self.data.collection.name}, {self.data.splits['test']}: {len(self.data.candidates['test'].run)} queries"
        )
        *worse, best = around

        console = Console()
        console.print(result_table(title, [*worse, replace(test, name=f"{self.name} (this run)"), best]))
        for note in [*test.coverage.notes(), *notes]:
            console.print(f"note: {note}", soft_wrap=True, markup=False)
        tell_files(
            self.folder, ["metrics.json", "metrics.csv", "per_query.csv", str(RUN), f"{MODEL}/", "provenance.json"]
        )

    def log(self, loggers: Sequence[Logger], around: Sequence[Evaluation]) -> None:
        """Give W&B what it shows of the job beside its curves."""
        scored = self.data.candidates["test"]
        run = read_run(self.folder / RUN)

        # How far relevant documents score above others.
        scores: dict[str, list[float]] = {"relevant": [], "other": []}
        for query in run:
            for document, score in run[query].items():
                scores["relevant" if scored.qrels[query].get(document, 0) > 0 else "other"].append(score)

        # The table's rows, the queries that went worst, and the files.
        test = self.evaluations["test"]
        hard = hardest(test, run, scored.split.queries, self.data.collection.documents, MONITOR)
        files = {"model": self.folder / MODEL, "run": self.folder / RUN}
        report(loggers, systems=[*around, test], hard=hard, scores=scores, files=files)
