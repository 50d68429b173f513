"""Losses: pure functions of scores and labels, thin modules over them."""

from .alignment import EntityAlignment as EntityAlignment
from .contrast import Contrast as Contrast
from .contrastive import AlignmentUniformity as AlignmentUniformity
from .contrastive import CoSENT as CoSENT
from .contrastive import CosineHinge as CosineHinge
from .contrastive import InfoNCE as InfoNCE
from .contrastive import Triplet as Triplet
from .distillation import KLDivergence as KLDivergence
from .distillation import MarginMSE as MarginMSE
from .listwise import LCE as LCE
from .listwise import LambdaLoss as LambdaLoss
from .listwise import ListNet as ListNet
from .listwise import SoftmaxCrossEntropy as SoftmaxCrossEntropy
from .loss import RankingLoss as RankingLoss
from .loss import ScoreLoss as ScoreLoss
from .loss import VectorLoss as VectorLoss
from .needs import check_samples as check_samples
from .needs import check_settings as check_settings
from .pairwise import MarginHinge as MarginHinge
from .pairwise import OneMinusSigmoid as OneMinusSigmoid
from .pairwise import RankNet as RankNet
from .pairwise import SoftmaxHinge as SoftmaxHinge
from .pointwise import BinaryCrossEntropy as BinaryCrossEntropy
