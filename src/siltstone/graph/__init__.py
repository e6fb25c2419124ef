"""The graph layer: the store of one repository, the graph in memory, and questions to it."""

from siltstone.graph.model import Cycle, Cycles, EntityRow, FileRow, FindingRow, Hit, Reach
from siltstone.graph.queries import Graph
from siltstone.graph.store import GraphStore, open_store_directory

__all__ = [
    "Cycle",
    "Cycles",
    "EntityRow",
    "FileRow",
    "FindingRow",
    "Graph",
    "GraphStore",
    "Hit",
    "Reach",
    "open_store_directory",
]
