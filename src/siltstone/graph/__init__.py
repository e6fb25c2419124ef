"""The store of one repository, the graph in memory, and questions to it. Names are loaded when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone.core.lazy import lazy_names

if TYPE_CHECKING:
    from siltstone.graph.model import (
        Cycle as Cycle,
    )
    from siltstone.graph.model import (
        Cycles as Cycles,
    )
    from siltstone.graph.model import (
        EntityRow as EntityRow,
    )
    from siltstone.graph.model import (
        FileRow as FileRow,
    )
    from siltstone.graph.model import (
        FindingRow as FindingRow,
    )
    from siltstone.graph.model import (
        Hit as Hit,
    )
    from siltstone.graph.model import (
        Reach as Reach,
    )
    from siltstone.graph.queries import Graph as Graph
    from siltstone.graph.reader import StoreReader as StoreReader
    from siltstone.graph.store import GraphStore as GraphStore
    from siltstone.graph.store import open_store_directory as open_store_directory

_HOMES = {
    "Cycle": "siltstone.graph.model",
    "Cycles": "siltstone.graph.model",
    "EntityRow": "siltstone.graph.model",
    "FileRow": "siltstone.graph.model",
    "FindingRow": "siltstone.graph.model",
    "Graph": "siltstone.graph.queries",
    "GraphStore": "siltstone.graph.store",
    "Hit": "siltstone.graph.model",
    "Reach": "siltstone.graph.model",
    "StoreReader": "siltstone.graph.reader",
    "open_store_directory": "siltstone.graph.store",
}

__all__ = [*_HOMES]

__getattr__ = lazy_names(__name__, _HOMES)
