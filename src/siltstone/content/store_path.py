"""Names of store objects: what a store path is made of, and which path a content has.

A path is ``<store>/<32 digits of base 32>-<name>``; the digits are SHA-256, folded to 20 bytes, of a text that states kind,
content hash, store and name (libstore/path.cc and store-dir-config.cc of Nix; "Store path specification" in its manual).
Nothing here touches a store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from siltstone.content.base32 import encode_base32
from siltstone.content.hash_text import Hash, format_hash, parse_hash
from siltstone.core.errors import ConfigError, CorruptDataError

STORE_DIRECTORY: Final = "/nix/store"
HASH_PART_SIZE: Final = 32  # digits, which hold 20 bytes
LONGEST_NAME: Final = 211  # with digits, hyphen and ".lock" a name stays below the 255 bytes of a file system

_FOLDED_SIZE = 20
_NOT_A_DIGIT = re.compile(r"[^0-9a-df-np-sv-z]")
_NOT_IN_A_NAME = re.compile(r"[^0-9A-Za-z+\-._?=]")

Method = Literal["text", "flat", "nar", "git"]
METHODS: Final = ("text", "flat", "nar", "git")
_PREFIXES: dict[Method, str] = {"flat": "", "nar": "r:", "git": "git:"}


@dataclass(frozen=True, slots=True, order=True)
class StorePath:
    """One path of a store: *base_name* is its last component, *directory* the store. Sorts as Nix sorts references."""

    base_name: str
    directory: str = STORE_DIRECTORY

    def __post_init__(self) -> None:
        try:
            _check_base_name(self.base_name)
        except CorruptDataError as error:
            raise ConfigError(error.problem, field="base_name") from None
        if not is_store_directory(self.directory):
            raise ConfigError(f"expected an absolute path without '.', '..' or '//', got {self.directory!r}", field="directory")

    @property
    def hash_part(self) -> str:
        """The 32 digits before the name."""
        return self.base_name[:HASH_PART_SIZE]

    @property
    def name(self) -> str:
        """What follows the digits and the hyphen."""
        return self.base_name[HASH_PART_SIZE + 1 :]

    def __str__(self) -> str:
        return f"{self.directory}/{self.base_name}"


@dataclass(frozen=True, slots=True)
class ContentAddress:
    """How a path follows from its content: *method* tells what was hashed, *hash* is the result.

    ``text`` and ``flat`` hash the bytes of a file, ``nar`` the archive of a tree, ``git`` the tree object.
    """

    method: Method
    hash: Hash

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"expected one of {', '.join(METHODS)}, got {self.method!r}", field="method")
        if self.method == "text" and self.hash.algorithm != "sha256":
            raise ConfigError(f"text is addressed by sha256, got {self.hash.algorithm}", field="hash")
        if self.method == "git" and self.hash.algorithm not in ("sha1", "sha256"):
            raise ConfigError(f"git is addressed by sha1 or sha256, got {self.hash.algorithm}", field="hash")

    def __str__(self) -> str:
        kind = "text:" if self.method == "text" else f"fixed:{_PREFIXES[self.method]}"
        return kind + format_hash(self.hash, "nix32")


def is_store_directory(text: str) -> bool:
    """Tell whether *text* is an absolute, normal path of one line that can stand in front of a base name."""
    parts = text.split("/")
    return len(parts) > 1 and not parts[0] and all(part not in ("", ".", "..") and part.isprintable() for part in parts[1:])


def parse_store_path(text: str, *, directory: str | None = None) -> StorePath:
    """Return the path that *text*, ``/nix/store/<digits>-<name>``, names; nothing may follow the name.

    With *directory* a path of another store is refused.  Raises CorruptDataError with the offset of what is wrong.
    """
    store, slash, base_name = text.rpartition("/")
    if not slash or not is_store_directory(store):
        raise CorruptDataError("a store path is absolute and normal", offset=0)
    if directory is not None and store != directory:
        raise CorruptDataError(f"the path is not in the store {directory}", offset=0)
    return parse_base_name(base_name, directory=store, offset=len(store) + 1)


def parse_base_name(text: str, *, directory: str = STORE_DIRECTORY, offset: int = 0) -> StorePath:
    """Return the path whose last component is *text*; errors count from *offset*."""
    try:
        _check_base_name(text)
    except CorruptDataError as error:
        raise error.within("", offset) from None
    return StorePath(text, directory)


def check_hash_part(text: str) -> None:
    """Raise CorruptDataError where *text* is not the 32 digits of a store path."""
    if len(text) != HASH_PART_SIZE:
        raise CorruptDataError(f"the hash of a store path has {HASH_PART_SIZE} digits, got {len(text)}", offset=0)
    wrong = _NOT_A_DIGIT.search(text)
    if wrong is not None:
        raise CorruptDataError("not a digit of Nix's base 32", offset=wrong.start())


def check_name(name: str) -> None:
    """Raise CorruptDataError where *name* cannot name a store object.

    1 to 211 of ``0-9 A-Z a-z + - . _ ? =``; ``.`` and ``..`` are refused, alone and before a hyphen (older versions
    of Nix, such as 2.8, refuse every leading dot).
    """
    if not name:
        raise CorruptDataError("the name of a store path is empty", offset=0)
    if len(name) > LONGEST_NAME:
        raise CorruptDataError(f"the name of a store path has at most {LONGEST_NAME} characters", offset=LONGEST_NAME)
    if name.split("-", 1)[0] in (".", ".."):
        raise CorruptDataError("the name of a store path begins with a component '.' or '..'", offset=0)
    wrong = _NOT_IN_A_NAME.search(name)
    if wrong is not None:
        raise CorruptDataError("not a character of a store path's name", offset=wrong.start())


def _check_base_name(text: str) -> None:
    check_hash_part(text[:HASH_PART_SIZE])
    if text[HASH_PART_SIZE : HASH_PART_SIZE + 1] != "-":
        raise CorruptDataError("a hyphen must follow the hash of a store path", offset=HASH_PART_SIZE)
    try:
        check_name(text[HASH_PART_SIZE + 1 :])
    except CorruptDataError as error:
        raise error.within("", HASH_PART_SIZE + 1) from None


def fold_digest(digest: bytes, size: int = _FOLDED_SIZE) -> bytes:
    """Return *digest* folded to *size* bytes by exclusive or: byte i goes to byte ``i % size`` (Nix's `compressHash`)."""
    folded = bytearray(size)
    for index, byte in enumerate(digest):
        folded[index % size] ^= byte
    return bytes(folded)


def make_store_path(kind: str, digest: Hash, name: str, *, directory: str = STORE_DIRECTORY) -> StorePath:
    """Return the path of the object *name*: the digits hash ``kind:sha256:<hex>:<directory>:<name>``."""
    try:
        check_name(name)
    except CorruptDataError as error:
        raise ConfigError(error.problem, field="name") from None
    text = f"{kind}:{format_hash(digest, 'base16')}:{directory}:{name}"
    folded = fold_digest(hashlib.sha256(text.encode()).digest())
    return StorePath(f"{encode_base32(folded)}-{name}", directory)


def content_address_path(
    address: ContentAddress, name: str, *, references: Iterable[StorePath] = (), self_reference: bool = False,
    directory: str = STORE_DIRECTORY,
) -> StorePath:
    """Return the path that *address* gives the object *name*, as ``nix-store --add`` and ``--add-fixed`` do.

    Only ``text`` and ``nar`` with SHA-256 may have references, and only the latter may refer to itself: its hash is then the
    one of `hash_modulo`.  Raises ConfigError for other combinations.
    """
    others = sorted(set(references))
    source = address.method == "nar" and address.hash.algorithm == "sha256"
    if (others and not (source or address.method == "text")) or (self_reference and not source):
        raise ConfigError(f"{address} cannot have such references", field="references")
    if source or address.method == "text":
        kind = "source" if source else "text"
        kind = ":".join([kind, *map(str, others), *(["self"] if self_reference else [])])
        return make_store_path(kind, address.hash, name, directory=directory)
    payload = f"fixed:out:{_PREFIXES[address.method]}{format_hash(address.hash, 'base16')}:"
    digest = Hash("sha256", hashlib.sha256(payload.encode()).digest())
    return make_store_path("output:out", digest, name, directory=directory)


def output_path(digest: Hash, name: str, output: str = "out", *, directory: str = STORE_DIRECTORY) -> StorePath:
    """Return the path of one *output* of a derivation whose modulo hash is *digest*; all but ``out`` extend the name."""
    full = name if output == "out" else f"{name}-{output}"
    return make_store_path(f"output:{output}", digest, full, directory=directory)


def parse_content_address(text: str) -> ContentAddress:
    """Return what the ``CA`` of a narinfo says: ``text:<hash>`` or ``fixed:[r:|git:]<hash>``."""
    method: Method
    if text.startswith("text:"):
        method, start = "text", 5
    elif text.startswith("fixed:r:"):
        method, start = "nar", 8
    elif text.startswith("fixed:git:"):
        method, start = "git", 10
    elif text.startswith("fixed:"):
        method, start = "flat", 6
    else:
        raise CorruptDataError("a content address begins with 'text:' or 'fixed:'", offset=0)
    try:
        return ContentAddress(method, parse_hash(text[start:]))
    except CorruptDataError as error:
        raise error.within("", start) from None
    except ConfigError as error:
        raise CorruptDataError(str(error), offset=start) from None

