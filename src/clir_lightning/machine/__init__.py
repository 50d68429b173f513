"""The machine: packages, processors, network and disks, each as a line that people read and copy.

`__init__.pyi` lists the names that this room offers; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
