"""Browse: rankings side by side on a local page, with what matched and what a graph knows."""

from .entity import Entities as Entities
from .library import Library as Library
from .library import Settings as Settings
from .library import opened as opened
from .lists import Answer as Answer
from .lists import Listing as Listing
from .lists import listings as listings
from .matches import Matches as Matches
from .matches import Matrices as Matrices
from .matches import look as look
