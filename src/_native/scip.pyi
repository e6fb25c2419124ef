from typing import TypedDict, type_check_only

from typing_extensions import Buffer

@type_check_only
class DocumentColumns(TypedDict):
    ranges: bytes
    enclosing_ranges: bytes
    roles: bytes
    occurrence_symbols: bytes
    symbols: list[bytes]
    info_symbols: bytes
    info_kinds: bytes
    display_names: list[bytes]
    heads: list[bytes]
    relationships: bytes
    path: tuple[int, int] | None
    language: tuple[int, int] | None
    text: tuple[int, int] | None
    position_encoding: int
    malformed: int

def read_document(data: Buffer, start: int = 0, end: int = -1) -> DocumentColumns: ...
def split_fields(data: Buffer, start: int = 0) -> tuple[list[tuple[int, int, int, int]], int, int, int]: ...
