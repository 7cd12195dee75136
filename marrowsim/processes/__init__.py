"""The biological processes, one a file, and the order in which a step runs them."""

from types import MappingProxyType

from marrowsim.processes.angiogenesis import Angiogenesis
from marrowsim.processes.base import Clock, Process, ShippedProcess
from marrowsim.processes.circulation import Circulation
from marrowsim.processes.conversion import Conversion
from marrowsim.processes.cycle import Cycle
from marrowsim.processes.drugs import Drugs
from marrowsim.processes.fields import Fields
from marrowsim.processes.hypoxia import Hypoxia
from marrowsim.processes.injection import Injection
from marrowsim.processes.motility import Motility
from marrowsim.processes.niche import Niche
from marrowsim.processes.remodelling import Remodelling

SHIPPED = (
    Injection, Drugs, Remodelling, Fields, Hypoxia, Conversion, Angiogenesis, Cycle, Motility, Niche, Circulation,
)  # fmt: skip
"""The shipped processes, in the order of a step."""

PROCESSES = MappingProxyType({process.name: process for process in SHIPPED})
"""The same by name."""

__all__ = ["PROCESSES", "SHIPPED", "Clock", "Process", "ShippedProcess"]
