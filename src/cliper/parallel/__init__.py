"""Many pieces of independent work: here one after the other, in processes, or on a Ray cluster.

An engine takes pieces of work and yields their results as they come (ADR 0032).
"""

from cliper.parallel.cluster import Cluster, OnRay, Workers
from cliper.parallel.processes import Processes
from cliper.parallel.work import Engine, Here, Work, WorkResult

__all__ = ["Cluster", "Engine", "Here", "OnRay", "Processes", "Work", "WorkResult", "Workers"]
