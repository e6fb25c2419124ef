"""Cut points of ronomon/deduplication, as the module `ronomon` of the crate `fastcdc` does it; the rule of its table."""

from collections.abc import Sequence


def center_size(average: int, minimum: int, source_size: int) -> int:
    offset = min(minimum + (minimum + 1) // 2, average)
    return min(average - offset, source_size)


def cut(data: bytes, table: Sequence[int], minimum: int, average: int, maximum: int, masks: tuple[int, int]) -> tuple[int, int]:
    """Return the hash at the first cut of *data*, and the cut."""
    size = len(data)
    if size <= minimum:
        return 0, size
    size = min(size, maximum)
    state, at = 0, minimum
    for end, mask in ((center_size(average, minimum, size), masks[0]), (size, masks[1])):
        while at < end:
            state = (state >> 1) + table[data[at]]
            at += 1
            if not state & mask:
                return state, at
    return state, size


def cuts(data: bytes, table: Sequence[int], minimum: int, average: int, maximum: int, bits: int) -> tuple[list[int], list[int]]:
    """Return the hashes and the end offsets of all chunks; *bits* is the logarithm of *average*."""
    hashes, ends, start = [], [], 0
    masks = (1 << bits + 1) - 1, (1 << bits - 1) - 1
    while start < len(data):
        state, size = cut(data[start:start + maximum], table, minimum, average, maximum, masks)
        start += size
        hashes.append(state)
        ends.append(start)
    return hashes, ends


def cut_offsets(data: bytes, table: Sequence[int], minimum: int, average: int, maximum: int, bits: int) -> list[int]:
    return cuts(data, table, minimum, average, maximum, bits)[1]


def double(value: int) -> int:
    """Return twice *value* in the field of AES (FIPS 197, section 4.2)."""
    return (value << 1) ^ (0x11B if value & 0x80 else 0)


def substitution_box() -> list[int]:
    """Return the S-box of AES: inverse in the field, then the affine step (FIPS 197, section 5.1.1)."""
    powers = [1]
    while len(powers) < 255:
        powers.append(powers[-1] ^ double(powers[-1]))
    logarithms = {value: index for index, value in enumerate(powers)}
    box = []
    for value in range(256):
        inverse = powers[-logarithms[value] % 255] if value else 0
        bits = inverse
        for turn in range(1, 5):
            bits ^= (inverse << turn | inverse >> (8 - turn)) & 0xFF
        box.append(bits ^ 0x63)
    return box


def encrypt_with_zero_key(block: bytes, box: Sequence[int]) -> bytes:
    """Return AES-256 of one block under 32 zero bytes (FIPS 197, sections 5.1 and 5.2)."""
    words = [bytes(4)] * 8
    constant = 1
    for index in range(8, 60):
        word = words[-1]
        if index % 8 == 0:
            word = bytes(box[value] for value in word[1:] + word[:1])
            word, constant = bytes([word[0] ^ constant]) + word[1:], double(constant)
        elif index % 8 == 4:
            word = bytes(box[value] for value in word)
        words.append(bytes(a ^ b for a, b in zip(words[-8], word, strict=True)))
    keys = [b"".join(words[at:at + 4]) for at in range(0, 60, 4)]
    state = bytes(a ^ b for a, b in zip(block, keys[0], strict=True))
    for turn in range(1, 15):
        state = bytes(box[state[(at + 4 * (at % 4)) % 16]] for at in range(16))
        if turn < 14:
            mixed = bytearray()
            for at in range(0, 16, 4):
                a = state[at:at + 4]
                mixed += bytes(double(a[i]) ^ double(a[i - 3]) ^ a[i - 3] ^ a[i - 2] ^ a[i - 1] for i in range(4))
            state = bytes(mixed)
        state = bytes(a ^ b for a, b in zip(state, keys[turn], strict=True))
    return state


def table() -> list[int]:
    """Return the 256 words: the key stream of AES-256-CTR under zeros, less the top bit of each word."""
    box = substitution_box()
    stream = b"".join(encrypt_with_zero_key(count.to_bytes(16, "big"), box) for count in range(64))
    return [int.from_bytes(stream[at:at + 4], "big") & 0x7FFFFFFF for at in range(0, 1024, 4)]
