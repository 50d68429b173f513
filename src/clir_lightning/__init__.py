"""Cross-lingual retrieval from Python: the verbs of `clir` as functions.

`__init__.pyi` lists the names; each is imported when it is first used, so that `clir --help` loads nothing heavy.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("clir-lightning")
