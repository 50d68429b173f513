"""Models: encoders, architectures and their heads."""

from .cedr import CEDR as CEDR
from .contracts import PairModel as PairModel
from .contracts import TextModel as TextModel
from .cross import CrossEncoder as CrossEncoder
from .dual import DualEncoder as DualEncoder
from .encoder import Encoder as Encoder
from .heads.drmm import DRMM as DRMM
from .heads.knrm import KNRM as KNRM
from .heads.maxsim import MaxSim as MaxSim
from .heads.pacrr import PACRR as PACRR
from .heads.vanilla import Vanilla as Vanilla
from .late import LateInteraction as LateInteraction
from .loading import EncoderSettings as EncoderSettings
from .pretrained import PretrainedEncoder as PretrainedEncoder
from .tiny import TinyEncoder as TinyEncoder
