"""Fuzz the SCIP wire reader, the file reader and the symbol parser. Run: python fuzz/fuzz_scip.py [SECONDS [SEED]]

Mutates valid documents at random; each result must equal that of the plain Python twin, and a symbol that parses must be
written back to itself.  Ends with 1 and the offending bytes in hexadecimal at the first difference.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from siltstone._native import scip
from siltstone.codeindex.scip_graph import ScipGraph
from siltstone.codeindex.scip_reader import read_scip
from siltstone.codeindex.scip_symbols import SymbolParser, format_symbol, parse_symbol
from siltstone.core.errors import ConfigError, CorruptDataError
from tests.reference import scip as reference
from tests.reference.scip_schema import message_classes

_SYMBOLS = ["local 1", "a b c d/e#", "a b  x c d `q r`/e#f(+1).", "a . . . e#f().(g)[h]", "x y z w m!", "p q r s `t``u`:"]


def seed_document(rng: random.Random) -> bytes:
    """Return a valid document with every kind of field."""
    message = message_classes()["Document"](relative_path=f"src/{rng.randrange(9)}.py", language="python", text="x" * 9)
    for _ in range(rng.randrange(6)):
        line = rng.randrange(400)
        occurrence = message.occurrences.add(symbol=rng.choice(_SYMBOLS), symbol_roles=rng.randrange(128))
        occurrence.range.extend([line, 1, 9] if rng.random() < 0.5 else [line, 1, line + 1, 0])
        if rng.random() < 0.3:
            occurrence.multi_line_enclosing_range.end_line = line
    for _ in range(rng.randrange(3)):
        info = message.symbols.add(symbol=rng.choice(_SYMBOLS), kind=rng.randrange(90), documentation=["doc"])
        info.relationships.add(symbol=rng.choice(_SYMBOLS), is_implementation=True)
        info.signature_documentation.text = "interface X"
    return message.SerializeToString()


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Return *data* with a few bytes changed, removed, repeated or cut off."""
    work = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(work) + 1)
        choice = rng.randrange(4)
        if choice == 0 and at < len(work):
            work[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif choice == 1:
            del work[at : at + rng.randrange(4)]
        elif choice == 2:
            work[at:at] = work[at : at + rng.randrange(12)]
        elif rng.random() < 0.2:
            del work[at:]
    return bytes(work)


def outcome(read: Callable[[bytes], object], data: bytes) -> object:
    """Return the result, or the error in its place."""
    try:
        return read(data)
    except CorruptDataError as error:
        return error.problem, error.offset


def check(data: bytes, path: Path) -> bool:
    """Return whether every reader treats *data* as it should."""
    if outcome(scip.read_document, data) != outcome(reference.read_document, data):
        return False
    if outcome(scip.split_fields, data) != outcome(reference.split_fields, data):
        return False
    path.write_bytes(b"\x12" + bytes([len(data) & 0x7F | 0x80, len(data) >> 7 & 0x7F]) + data)
    graph = ScipGraph("fuzz")
    try:
        for document in read_scip(path):
            graph.add(document)
    except (CorruptDataError, ConfigError):  # a NUL in a path is refused by the key
        return True
    return len(list(graph.finish())) == 3


def check_symbol(text: str) -> bool:
    """Return whether both parsers agree and the value is written back."""
    try:
        value = parse_symbol(text)
    except CorruptDataError:
        return outcome(lambda _: SymbolParser().parse(text), b"") == outcome(lambda _: parse_symbol(text), b"")
    return SymbolParser().parse(text) == value and format_symbol(value) == text


def main() -> int:
    """Run until the time is over."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    end, runs = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            data = mutate(rng, seed_document(rng))
            if not check(data, Path(folder) / "index.scip"):
                print(f"document {data.hex()}")
                return 1
            text = mutate(rng, rng.choice(_SYMBOLS).encode()).decode("utf-8", "replace")
            if not check_symbol(text):
                print(f"symbol {text.encode().hex()}")
                return 1
            runs += 1
    print(f"{runs} inputs, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
