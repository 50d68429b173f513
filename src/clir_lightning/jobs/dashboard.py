"""`clir dashboard`: a view of a W&B project that compares the values of a setting."""

from __future__ import annotations

from omegaconf import DictConfig

from clir_lightning.errors import ConfigError
from clir_lightning.lightning.loggers.dashboard import workspace
from clir_lightning.lightning.loggers.wandb_run import has_wandb_key


def main(config: DictConfig) -> None:
    """Run the job."""
    view = workspace(config.entity, config.project, by=config.by, name=config.title)
    if not has_wandb_key():
        raise ConfigError("there is no W&B key to save the view with; set WANDB_API_KEY or run: wandb login")
    print(view.save().url)
