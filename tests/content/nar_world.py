"""NARs built by hand, string by string and without the writer, also wrong ones; and random trees."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

Node = bytes


def string(text: bytes, *, pad: bytes | None = None) -> bytes:
    return len(text).to_bytes(8, "little") + text + (bytes(-len(text) % 8) if pad is None else pad)


def strings(*texts: bytes) -> bytes:
    return b"".join(map(string, texts))


def regular(data: bytes, *, executable: bool = False) -> Node:
    mark = (b"executable", b"") if executable else ()
    return strings(b"(", b"type", b"regular", *mark, b"contents", data, b")")


def symlink(target: bytes) -> Node:
    return strings(b"(", b"type", b"symlink", b"target", target, b")")


def entry(name: bytes, node: Node) -> bytes:
    return strings(b"entry", b"(", b"name", name, b"node") + node + string(b")")


def directory(*entries: tuple[bytes, Node]) -> Node:
    return strings(b"(", b"type", b"directory") + b"".join(entry(*one) for one in entries) + string(b")")


def nar(node: Node) -> bytes:
    return string(b"nix-archive-1") + node


def nested(depth: int, inner: Node) -> Node:
    """Return *inner* below *depth* directories."""
    for _ in range(depth):
        inner = directory((b"d", inner))
    return inner


HELLO = regular(b"Hello World\n")
SMALL = nar(directory(
    (b"bin", directory((b"run", regular(b"#!/bin/sh\nexit 0\n", executable=True)))),
    (b"empty", directory()), (b"link", symlink(b"bin/run")), (b"text", regular(b"12345678")), (b"zero", regular(b"")),
))

# What Nix refuses, by name: `dot`, `slash`, ... as in its own list of bad archives, rebuilt.
DAMAGED: dict[str, bytes] = {
    "dot": nar(directory((b".", HELLO))),
    "dotdot": nar(directory((b"..", HELLO))),
    "empty name": nar(directory((b"", HELLO))),
    "slash": nar(directory((b"a/b", HELLO))),
    "absolute": nar(directory((b"/etc", HELLO))),
    "nul in a name": nar(directory((b"a\0b", HELLO))),
    "executable after contents": nar(strings(b"(", b"type", b"regular", b"contents", b"x", b"executable", b"", b")")),
    "executable with a value": nar(strings(b"(", b"type", b"regular", b"executable", b"yes", b"contents", b"x", b")")),
    "invalid tag": nar(strings(b"(", b"type", b"regular", b"contentz", b"x", b")")),
    "invalid kind": nar(strings(b"(", b"type", b"device", b")")),
    "name after node": nar(strings(b"(", b"type", b"directory", b"entry", b"(", b"node") + HELLO
                           + strings(b"name", b"a", b")", b")")),
    "padding of contents": nar(strings(b"(", b"type", b"regular", b"contents")
                               + string(b"x", pad=b"\0\0\0\0\0\0\1") + string(b")")),
    "padding of a name": nar(strings(b"(", b"type", b"directory", b"entry", b"(", b"name") + string(b"a", pad=b"zzzzzzz")
                             + string(b"node") + HELLO + strings(b")", b")")),
    "padding of a tag": nar(string(b"(", pad=b"\1\0\0\0\0\0\0") + strings(b"type", b"regular", b"contents", b"x", b")")),
    "padding of a target": nar(strings(b"(", b"type", b"symlink", b"target")
                               + string(b"x", pad=b"\0\0\1\0\0\0\0") + string(b")")),
    "unsorted": nar(directory((b"b", HELLO), (b"a", HELLO))),
    "twice": nar(directory((b"a", HELLO), (b"a", HELLO))),
    "truncated contents": nar(strings(b"(", b"type", b"regular", b"contents") + (12).to_bytes(8, "little") + b"short"),
    "truncated padding": nar(strings(b"(", b"type", b"regular", b"contents") + (12).to_bytes(8, "little") + b"Hello World\n\0"),
    "no contents": nar(strings(b"(", b"type", b"regular", b")")),
    "no close": nar(strings(b"(", b"type", b"regular", b"contents", b"x")),
    "no target": nar(strings(b"(", b"type", b"symlink", b")")),
    "empty target": nar(symlink(b"")),
    "long target": nar(symlink(b"t" * 4_096)),
    "nul in a target": nar(symlink(b"a\0b")),
    "long name": nar(directory((b"n" * 256, HELLO))),
    "too deep": nar(nested(64, HELLO)),
    "huge contents": nar(strings(b"(", b"type", b"regular", b"contents") + b"\xff" * 8),
    "huge name": nar(strings(b"(", b"type", b"directory", b"entry", b"(", b"name") + b"\xff" * 7 + b"\x7f"),
    "trailing": nar(HELLO) + b"\0",
    "another archive behind": nar(HELLO) + nar(HELLO),
    "magic of another version": string(b"nix-archive-2") + HELLO,
    "empty": b"",
}

names = st.one_of(
    st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")),
    st.text("aAéßñ—z ~$\n\\", min_size=1, max_size=6).map(lambda text: text.encode()),
)
contents = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"x" * 8, b"y" * 409]))
targets = st.binary(min_size=1, max_size=30).filter(lambda target: 0 not in target)
leaves = st.one_of(st.tuples(contents, st.booleans()), targets)
# A tree: (contents, executable), the target of a link, or a dictionary of names.
trees = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=5), max_leaves=12)


def nar_of(tree: object) -> bytes:
    """Return the NAR of a tree as `trees` draws it."""

    def node_of(node: object) -> Node:
        if isinstance(node, dict):
            return directory(*((name, node_of(node[name])) for name in sorted(node)))
        return symlink(node) if isinstance(node, bytes) else regular(node[0], executable=node[1])

    return nar(node_of(tree))


def write_tree(path: bytes, tree: object) -> None:
    """Make a tree as `trees` draws it at *path*."""
    if isinstance(tree, dict):
        os.mkdir(path)
        for name, node in tree.items():
            write_tree(path + b"/" + name, node)
    elif isinstance(tree, bytes):
        os.symlink(tree, path)
    else:
        with open(path, "wb") as file:
            file.write(tree[0])
        os.chmod(path, 0o755 if tree[1] else 0o644)


def snapshot(path: Path | bytes) -> object:
    """Return what is at *path* as `trees` draws it."""
    path = os.fsencode(path)
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return {name: snapshot(path + b"/" + name) for name in sorted(os.listdir(path))}
    with open(path, "rb") as file:
        return file.read(), bool(os.stat(path).st_mode & 0o100)


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return *data* cut at *cuts*."""
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
