"""narinfo: what a binary cache says about one store path, read, written, signed and verified.

Lines of ``Key: value`` (Nix, libstore/nar-info.cc).  What is read here is at least as strict as what Nix reads, and what is
written is what Nix writes.  Nothing is downloaded and no archive is opened: narinfo_check.py does the latter.
Invariant: ``parse_narinfo(format_narinfo(info)) == info``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from siltstone.content.hash_text import Hash, format_hash, parse_hash
from siltstone.content.signing import PublicKey, SecretKey, Signature, find_signer, parse_signature
from siltstone.content.store_path import (
    ContentAddress,
    StorePath,
    content_address_path,
    parse_base_name,
    parse_content_address,
    parse_store_path,
)
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

LARGEST_NARINFO: Final = 1 << 20  # bytes; 10,000 references take about half of it
DEFAULT_COMPRESSION: Final = "bzip2"  # DO NOT CHANGE: what a narinfo without the field means
UNKNOWN_DERIVER: Final = "unknown-deriver"

_LARGEST_SIZE = (1 << 64) - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,19}")
_KEY = re.compile(r"[!-9;-~]+")  # printable ASCII without blank and colon
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and lone surrogates, which no UTF-8 has
_REPEATED = "Sig"
_KNOWN = ("StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize", "References", "Deriver", "Sig", "CA")


@dataclass(frozen=True, slots=True, kw_only=True)
class NarInfo:
    """One store path of a binary cache. *nar_hash* and *nar_size* are of the archive, *file_…* of what *url* gives.

    *references* are held in Nix's order, each once; *signatures* in the order given, as text, because one that a newer Nix
    made must not make the rest unreadable. *extra* holds the keys that this reader does not know, which are written back.
    """

    store_path: StorePath
    url: str
    nar_hash: Hash
    nar_size: int
    compression: str = DEFAULT_COMPRESSION
    file_hash: Hash | None = None
    file_size: int | None = None
    references: tuple[StorePath, ...] = ()
    deriver: StorePath | None = None
    signatures: tuple[str, ...] = ()
    content_address: ContentAddress | None = None
    extra: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "references", tuple(sorted(set(self.references))))
        object.__setattr__(self, "signatures", tuple(dict.fromkeys(self.signatures)))
        for name, text in (("url", self.url), ("compression", self.compression), *(("signatures", s) for s in self.signatures)):
            if not text or _CONTROL.search(text):
                raise ConfigError(f"expected one line of text, got {text!r}", field=name)
        if not 0 < self.nar_size <= _LARGEST_SIZE:
            raise ConfigError(f"expected 1 to 2**64 - 1 bytes, got {self.nar_size}", field="nar_size")
        if self.file_size is not None and not 0 <= self.file_size <= _LARGEST_SIZE:
            raise ConfigError(f"expected 0 to 2**64 - 1 bytes, got {self.file_size}", field="file_size")
        if any(path.directory != self.store_path.directory for path in (*self.references, *filter(None, [self.deriver]))):
            raise ConfigError("all paths must be in one store", field="references")
        if len(dict(self.extra)) < len(self.extra):
            raise ConfigError("a key may occur once", field="extra")
        for key, value in self.extra:
            if not _KEY.fullmatch(key) or key in _KNOWN or _CONTROL.search(value):
                raise ConfigError(f"cannot be written as a line: {key!r}", field="extra")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values; hashes and paths as text."""
        return {
            "store_path": str(self.store_path), "url": self.url, "compression": self.compression,
            "file_hash": None if self.file_hash is None else format_hash(self.file_hash, "nix32"), "file_size": self.file_size,
            "nar_hash": format_hash(self.nar_hash, "nix32"), "nar_size": self.nar_size,
            "references": [str(path) for path in self.references],
            "deriver": None if self.deriver is None else str(self.deriver), "signatures": list(self.signatures),
            "content_address": None if self.content_address is None else str(self.content_address),
            "extra": [list(pair) for pair in self.extra],
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signatures of a narinfo are worth. *signer* is the first trusted key that made one of them, or None.

    Names of keys: *good* made a signature that holds, *bad* is trusted but its signature does not hold, *unknown* is not
    trusted. *unreadable* counts signatures in a form that this version does not know. *content_addressed*: the path follows
    from the stated content, which is what Nix accepts in place of a signature.
    """

    signer: PublicKey | None
    good: tuple[str, ...]
    bad: tuple[str, ...]
    unknown: tuple[str, ...]
    unreadable: int
    content_addressed: bool


def parse_narinfo(data: bytes, *, source: str = "", limit_bytes: int = LARGEST_NARINFO) -> NarInfo:
    """Return what *data* says. Raises CorruptDataError with *source* and the offset, BudgetExceeded above *limit_bytes*.

    Every line ends with a line feed and is ``Key: value``; a key may occur once, except ``Sig``.
    """
    if len(data) > limit_bytes:
        raise BudgetExceeded("narinfo", limit_bytes=limit_bytes, needed_bytes=len(data))
    values: dict[str, Any] = {}
    signatures: list[str] = []
    extra: list[tuple[str, str]] = []
    seen: set[str] = set()
    for start, key, value, offset in _iter_lines(data, source):
        if key == _REPEATED:
            if not value:
                raise CorruptDataError("Sig is empty", source=source, offset=offset)
            signatures.append(value)
            continue
        if key in seen:
            raise CorruptDataError(f"{key} occurs twice", source=source, offset=start)
        seen.add(key)
        if key not in _KNOWN:
            extra.append((key, value))
            continue
        try:
            values[key] = _parse_value(key, value)
        except CorruptDataError as error:
            raise CorruptDataError(f"{key}: {error.problem}", source=source, offset=offset + (error.offset or 0)) from None
    return _assemble(values, tuple(signatures), tuple(extra), source, len(data))


def format_narinfo(info: NarInfo) -> bytes:
    """Return *info* as Nix writes it: its order of lines, hashes in base 32, references by base name; extra keys last."""
    lines = [("StorePath", str(info.store_path)), ("URL", info.url), ("Compression", info.compression)]
    if info.file_hash is not None:
        lines.append(("FileHash", format_hash(info.file_hash, "nix32")))
    if info.file_size is not None:
        lines.append(("FileSize", str(info.file_size)))
    lines += [("NarHash", format_hash(info.nar_hash, "nix32")), ("NarSize", str(info.nar_size))]
    lines.append(("References", " ".join(path.base_name for path in info.references)))
    if info.deriver is not None:
        lines.append(("Deriver", info.deriver.base_name))
    lines += [("Sig", text) for text in info.signatures]
    if info.content_address is not None:
        lines.append(("CA", str(info.content_address)))
    return "".join(f"{key}: {value}\n" for key, value in (*lines, *info.extra)).encode()


def fingerprint(info: NarInfo) -> bytes:
    """Return what a signature covers: ``1;path;sha256:…;size;references``, the references as full paths with commas.

    URL, Compression, FileHash, FileSize, Deriver and CA are not covered: another cache may compress anew.
    """
    references = ",".join(str(path) for path in info.references)
    return f"1;{info.store_path};{format_hash(info.nar_hash, 'nix32')};{info.nar_size};{references}".encode()


def sign_narinfo(info: NarInfo, key: SecretKey) -> NarInfo:
    """Return *info* with a signature of *key* after those it has; one that is there already is not repeated."""
    return replace(info, signatures=(*info.signatures, str(key.sign(fingerprint(info)))))


def verify_narinfo(info: NarInfo, trusted: Iterable[PublicKey]) -> Verdict:
    """Return which keys signed *info*. A signature counts where its name and its bytes are those of a trusted key."""
    keys, message = list(trusted), fingerprint(info)
    made: list[Signature] = []
    for text in info.signatures:
        try:
            made.append(parse_signature(text))
        except CorruptDataError:
            continue
    good = [one for one in made if any(key.verifies(message, one) for key in keys)]
    names = {key.name for key in keys}
    return Verdict(
        signer=find_signer(message, good, keys),
        good=_names(good),
        bad=_names(one for one in made if one not in good and one.key_name in names),
        unknown=_names(one for one in made if one.key_name not in names),
        unreadable=len(info.signatures) - len(made),
        content_addressed=is_content_addressed(info),
    )


def is_content_addressed(info: NarInfo) -> bool:
    """Tell whether the path follows from the stated content address, name and references."""
    if info.content_address is None:
        return False
    others = [path for path in info.references if path != info.store_path]
    try:
        expected = content_address_path(
            info.content_address, info.store_path.name, references=others, directory=info.store_path.directory,
            self_reference=len(others) < len(info.references),
        )
    except ConfigError:  # a kind of address that cannot have these references
        return False
    return expected == info.store_path


def _names(signatures: Iterable[Signature]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.key_name for one in signatures))


def _iter_lines(data: bytes, source: str) -> Iterator[tuple[int, str, str, int]]:
    """Yield for each line its offset, key, value and the offset of the value."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            raise CorruptDataError("the last line has no end", source=source, offset=len(data))
        try:
            line = data[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorruptDataError("not UTF-8", source=source, offset=start + error.start) from error
        key, colon, value = line.partition(":")
        if not colon or not _KEY.fullmatch(key):
            raise CorruptDataError("a line is 'Key: value'", source=source, offset=start)
        if not value.startswith(" "):
            raise CorruptDataError("a blank must follow the colon", source=source, offset=start + len(key) + 1)
        wrong = _CONTROL.search(value)
        if wrong is not None:
            place = start + len(key) + 1 + len(value[: wrong.start()].encode())
            raise CorruptDataError("a control character in a value", source=source, offset=place)
        yield start, key, value[1:], start + len(key) + 2
        start = end + 1


def _parse_value(key: str, value: str) -> object:
    if key == "StorePath":
        return parse_store_path(value)
    if key in ("FileHash", "NarHash"):
        return parse_hash(value)
    if key in ("FileSize", "NarSize"):
        return _parse_size(value)
    if key == "References":
        return _parse_references(value)
    if key == "Deriver":
        return None if value == UNKNOWN_DERIVER else parse_base_name(value)
    if key == "CA":
        return parse_content_address(value) if value else None
    return value


def _parse_size(value: str) -> int:
    if not _SIZE.fullmatch(value) or int(value) > _LARGEST_SIZE:
        raise CorruptDataError("expected a decimal number below 2**64", offset=0)
    return int(value)


def _parse_references(value: str) -> tuple[StorePath, ...]:
    """Base names parted by blanks; Nix takes them in any order, and a repeated one once."""
    return tuple(parse_base_name(word[0], offset=word.start()) for word in re.finditer(r"[^ ]+", value))


def _assemble(
    values: dict[str, Any], signatures: tuple[str, ...], extra: tuple[tuple[str, str], ...], source: str, size: int
) -> NarInfo:
    for key in ("StorePath", "URL", "NarHash", "NarSize"):
        if not values.get(key):
            raise CorruptDataError(f"{key} is missing, empty or 0", source=source, offset=size)
    path: StorePath = values["StorePath"]
    deriver: StorePath | None = values.get("Deriver")
    return NarInfo(
        store_path=path, url=values["URL"], nar_hash=values["NarHash"], nar_size=values["NarSize"],
        compression=values.get("Compression") or DEFAULT_COMPRESSION, file_hash=values.get("FileHash"),
        file_size=values.get("FileSize"),
        references=tuple(replace(one, directory=path.directory) for one in values.get("References", ())),
        deriver=None if deriver is None else replace(deriver, directory=path.directory),
        signatures=signatures, content_address=values.get("CA"), extra=extra,
    )
