"""The machine: packages, processors, network and disks, each as a line that people read and copy."""

from .examination import examine as examine
from .facts import Fact as Fact
