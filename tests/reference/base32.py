"""Base 32 of Nix as libutil/hash.cc writes it: one digit at a time, each found by its bit position."""

from siltstone.core.errors import CorruptDataError

ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"


def text_length(size: int) -> int:
    return (8 * size - 1) // 5 + 1


def encode(data: bytes) -> bytes:
    number = int.from_bytes(data, "little")
    return bytes(ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(text_length(len(data)))))


def decode(text: bytes) -> bytes:
    size = len(text) * 5 // 8
    if text_length(size) != len(text):
        raise CorruptDataError("no number of bytes has this many digits", offset=len(text))
    number = 0
    for place, symbol in enumerate(reversed(text)):
        if symbol not in ALPHABET:
            raise CorruptDataError("not a digit", offset=len(text) - 1 - place)
        number |= ALPHABET.index(symbol) << (5 * place)
    if number >> (8 * size):
        raise CorruptDataError("bits are left over", offset=0)
    return number.to_bytes(size, "little")
