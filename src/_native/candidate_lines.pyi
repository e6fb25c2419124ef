from typing import Any

def encode_lines(
    commits: Any, parents: Any, changes: Any, modes: Any, path_ends: Any, blobs: Any, paths: Any, oids: Any, id_size: int
) -> bytes: ...
