"""Browse: rankings side by side on a local page, with what matched and what a graph knows.

`__init__.pyi` lists the names that this room offers; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
