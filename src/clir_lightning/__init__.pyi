"""Cross-lingual retrieval from Python: the verbs of `clir` as functions."""

from .api import compare as compare
from .api import load_collection as load_collection
from .api import load_model as load_model
from .api import retrieve as retrieve
from .api import table as table
from .data.collection import Collection as Collection
from .data.collection import Split as Split
from .data.files.trec import read_qrels as read_qrels
from .data.files.trec import read_run as read_run
from .data.files.trec import write_qrels as write_qrels
from .data.files.trec import write_run as write_run
from .errors import ClirError as ClirError
from .errors import ConfigError as ConfigError
from .errors import DataError as DataError
from .evaluation.comparison import Comparison as Comparison
from .evaluation.evaluate import Evaluation as Evaluation
from .evaluation.evaluate import evaluate as evaluate
from .outputs.ranker import Ranker as Ranker
from .types import Document as Document
from .types import Qrels as Qrels
from .types import Query as Query
from .types import Run as Run

__version__: str
