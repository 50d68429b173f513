"""Lightning: modules, callbacks and loggers of training."""

from .callbacks.centring import Centring as Centring
from .callbacks.collapse_alarm import CollapseAlarm as CollapseAlarm
from .callbacks.geometry_log import GeometryLog as GeometryLog
from .callbacks.pruning import Pruning as Pruning
from .callbacks.ranking_metrics import RankingMetrics as RankingMetrics
from .loggers.loggers import csv as csv
from .loggers.loggers import tensorboard as tensorboard
from .loggers.wandb_run import wandb as wandb
from .optimisation import Optimisation as Optimisation
from .pair_module import PairModule as PairModule
from .sharding import Sharded as Sharded
from .text_module import TextModule as TextModule
