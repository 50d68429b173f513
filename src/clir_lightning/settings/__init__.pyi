"""What a setting may be, by the annotations of what it configures."""

from .markers import Amount as Amount
from .markers import Count as Count
from .markers import Dropout as Dropout
from .markers import ExistingPath as ExistingPath
from .markers import Natural as Natural
from .markers import OneOf as OneOf
from .markers import Positive as Positive
from .markers import Range as Range
from .markers import Share as Share
from .markers import There as There
from .signatures import kinds as kinds
from .spelling import did_you_mean as did_you_mean
from .spelling import nearest as nearest
from .values import allowed as allowed
from .values import check as check
from .values import check_fields as check_fields
