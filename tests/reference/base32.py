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


def encode_batch(data: bytes, size: int) -> bytes:
    return b"".join(encode(data[at : at + size]) for at in range(0, len(data), size))


def decode_batch(text: bytes, size: int) -> bytes:
    """The values of *size* bytes, the first wrong one with its place in *text*."""
    length, values = text_length(size), []
    if len(text) % length:
        raise CorruptDataError("cut short", offset=len(text))
    for at in range(0, len(text), length):
        try:
            values.append(decode(text[at : at + length]))
        except CorruptDataError as error:
            raise error.within("", at) from None
    return b"".join(values)
