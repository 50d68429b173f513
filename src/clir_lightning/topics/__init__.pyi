"""Topics: a neural topic model of documents that is applied to queries in another language."""

from .feature import TopicVectors as TopicVectors
from .folder import Topics as Topics
from .model import TopicModel as TopicModel
from .words import WordLimits as WordLimits
