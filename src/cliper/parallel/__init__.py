"""Many pieces of independent work: here one after the other, or in processes of this machine.

An engine takes pieces of work and yields their results as they come. Another engine, for a
cluster, is one more class with the same two methods around `do` (ADR 0032).
"""

from cliper.parallel.processes import Processes
from cliper.parallel.work import Engine, Here, Work, WorkResult

__all__ = ["Engine", "Here", "Processes", "Work", "WorkResult"]
