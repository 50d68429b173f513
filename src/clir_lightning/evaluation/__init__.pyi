"""Evaluation: run × qrels → measures, tables, significance, geometry and the report."""

from .bounds import ideal as ideal
from .bounds import random_order as random_order
from .comparison import Comparison as Comparison
from .comparison import Member as Member
from .comparison import System as System
from .comparison import compare as compare
from .measures import measure as measure
from .ranking import Pool as Pool
from .tables import result_table as result_table
from .torchmetric import RankingMeasures as RankingMeasures
