from typing_extensions import Buffer

def read_pack_table(
    names: Buffer, fanout: Buffer, offsets: Buffer, order: Buffer, ranks: Buffer, *,
    id_size: int, end: int, descriptor: int, limit_bytes: int, sizes: bool, inflate: object,
) -> tuple[bytearray, bytearray, bytearray, bytearray]: ...
