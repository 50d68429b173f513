"""A W&B workspace as code: the curves, values and tables that compare the values of one setting over runs and seeds."""

from __future__ import annotations

from typing import Any

from clir_lightning.errors import ConfigError

SECTIONS = {
    "dev": ("val/ndcg_10", "val/mrr_10", "val/ordered", "val/gap"),
    "training": ("train/loss_epoch", "train/ordered", "train/score_deviation", "train/queries_per_second"),
    "geometry": ("val/geometry/auc", "val/geometry/random_mean", "val/geometry/effective_rank"),
}  # lines over the steps
BARS = ("test/ndcg_5", "test/ndcg_10", "test/mrr_5", "test/mrr_10")
TABLES = ("test/systems", "test/hardest")


def workspace(entity: str, project: str, *, by: str = "encoder.name", name: str | None = None) -> Any:
    """The workspace (`wandb_workspaces.workspaces.Workspace`), not saved yet; nothing is asked of the network.

    Args:
        entity: the user or team that owns the project.
        project: what `logger.wandb.project` was.
        by: the setting whose values are compared; runs that share one are one line, their mean ± standard deviation.
        name: of the view; `None` makes one of `by`.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as workspaces
    except ModuleNotFoundError as error:
        raise ConfigError("clir dashboard needs a further package; pip install 'clir-lightning[dashboard]'") from error

    # One panel per key; a value of the setting is one line, whatever the number of its runs.
    grouped = {"groupby": panels.Config(by), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    shown: dict[str, list[Any]] = {
        section: [panels.LinePlot(x="Step", y=[key], title=key, **grouped) for key in keys]
        for section, keys in SECTIONS.items()
    }
    shown["test"] = [panels.BarPlot(metrics=[key], title=key, **grouped) for key in BARS]
    shown["test"] += [panels.WeavePanelSummaryTable(table_name=key) for key in TABLES]

    # The best runs on dev come first.
    settings = workspaces.RunsetSettings(
        groupby=[workspaces.Config(by)],
        order=[workspaces.Ordering(workspaces.Summary("val/ndcg_10"), ascending=False)],
    )
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=name or f"by {by}",
        sections=[workspaces.Section(name=section, is_open=True, panels=rows) for section, rows in shown.items()],
        runset_settings=settings,
    )
