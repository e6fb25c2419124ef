"""References in bytes, the plain way: Nix's own scan, search by `find`, and integers one by one."""

from siltstone.core.errors import CorruptDataError

ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"
SIZE = 32


def nix_scan(data: bytes, parts: list[bytes]) -> set[bytes]:
    """What libstore/references.cc finds: windows from the left, each tested from its end."""
    found, here = set(), 0
    while here + SIZE <= len(data):
        wrong = next((at for at in reversed(range(here, here + SIZE)) if data[at] not in ALPHABET), None)
        if wrong is not None:
            here = wrong + 1
            continue
        if data[here:here + SIZE] in parts:
            found.add(data[here:here + SIZE])
        here += 1
    return found


def take(data: bytes, parts: list[bytes], placeholder: bytes) -> tuple[bytes, list[int], list[int]]:
    """Replace every part from the left, each after the one before; return the bytes, the offsets and the numbers."""
    out, offsets, numbers, here = bytearray(data), [], [], 0
    while here + SIZE <= len(data):
        piece = data[here:here + SIZE]
        if piece not in parts:
            here += 1
            continue
        out[here:here + SIZE] = placeholder
        offsets.append(here)
        numbers.append(parts.index(piece))
        here += SIZE
    return bytes(out), offsets, numbers


def put(data: bytes, offsets: list[int], numbers: list[int], parts: list[bytes]) -> bytes:
    out = bytearray(data)
    for offset, number in zip(offsets, numbers, strict=True):
        out[offset:offset + SIZE] = parts[number]
    return bytes(out)


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def pack_hits(offsets: list[int], numbers: list[int]) -> bytes:
    out, end = b"", 0
    for offset, number in zip(offsets, numbers, strict=True):
        assert offset >= end
        out += varint(offset - end) + varint(number)
        end = offset + SIZE
    return out


def unpack_hits(data: bytes, count: int, known: int, size: int) -> tuple[list[int], list[int]]:
    offsets, numbers, end, rest = [], [], 0, data
    for _ in range(count):
        values = []
        for _ in range(2):
            length = next((at + 1 for at, byte in enumerate(rest) if byte < 128), 0)
            value = sum((byte & 127) << 7 * at for at, byte in enumerate(rest[:length]))
            if not length or value >= 1 << 64 or varint(value) != rest[:length]:
                raise CorruptDataError("no integer", offset=len(data) - len(rest))
            values.append(value)
            rest = rest[length:]
        if end + values[0] + SIZE > size or values[1] >= known:
            raise CorruptDataError("outside", offset=len(data) - len(rest))
        offsets.append(end + values[0])
        numbers.append(values[1])
        end += values[0] + SIZE
    if rest:
        raise CorruptDataError("bytes are left", offset=len(data) - len(rest))
    return offsets, numbers
