"""Git's delta format (gitformat-pack) one instruction at a time, and its obvious writer."""

from __future__ import annotations

from siltstone.core.errors import CorruptDataError
from tests.reference.varint import read_varint

Instruction = bytes | tuple[int, int]


def apply(base: bytes, delta: bytes) -> bytes:
    """What *delta* makes of *base*."""
    base_size, at = read_varint(delta, 0)
    result_size, at = read_varint(delta, at)
    if base_size != len(base):
        raise CorruptDataError("base size", offset=0)
    result = bytearray()
    while at < len(delta):
        opcode = delta[at]
        at += 1
        if opcode == 0:
            raise CorruptDataError("reserved", offset=0)
        if opcode < 0x80:
            piece = delta[at : at + opcode]
            if len(piece) != opcode:
                raise CorruptDataError("cut", offset=0)
            at += opcode
        else:
            numbers = []
            for bit in range(7):
                if opcode >> bit & 1:
                    if at >= len(delta):
                        raise CorruptDataError("cut", offset=0)
                    numbers.append(delta[at])
                    at += 1
                else:
                    numbers.append(0)
            start = int.from_bytes(bytes(numbers[:4]), "little")
            size = int.from_bytes(bytes(numbers[4:]), "little") or 0x10000
            if start + size > base_size:
                raise CorruptDataError("outside", offset=0)
            piece = base[start : start + size]
        result += piece
        if len(result) > result_size:
            raise CorruptDataError("result size", offset=0)
    if len(result) != result_size:
        raise CorruptDataError("result size", offset=0)
    return bytes(result)


def varint(value: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def encode(base_size: int, instructions: list[Instruction]) -> bytes:
    """The delta of these inserts (bytes) and copies ``(start, size)``; a size of 65,536 is written as no size at all."""
    body = bytearray()
    result_size = 0
    for step in instructions:
        if isinstance(step, bytes):
            for at in range(0, len(step), 127):
                piece = step[at : at + 127]
                body.append(len(piece))
                body += piece
            result_size += len(step)
            continue
        start, size = step
        result_size += size
        opcode, operands = 0x80, bytearray()
        for bit, byte in enumerate(start.to_bytes(4, "little") + (size % (1 << 24) & 0xFFFFFF).to_bytes(3, "little")):
            if byte and not (bit >= 4 and size == 0x10000):
                opcode |= 1 << bit
                operands.append(byte)
        body.append(opcode)
        body += operands
    return varint(base_size) + varint(result_size) + bytes(body)
