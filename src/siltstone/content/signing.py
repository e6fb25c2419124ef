"""ed25519 signatures as Nix writes them: ``name:base64`` for keys and for signatures (libutil/signature).

The only module that imports PyNaCl: the same libsodium that Nix verifies with, so both accept the same signatures.  A secret
key is read from a file and shows itself in no message, representation or pickle, nor, where its text does not parse, in the
variables of a traceback.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from siltstone.core.files import sync_directory

PUBLIC_SIZE: Final = 32
SEED_SIZE: Final = 32
SECRET_SIZE: Final = 64  # the seed, then the public key
SIGNATURE_SIZE: Final = 64
LARGEST_KEY_FILE: Final = 65_536  # bytes; a secret key has about 130, a list of public keys about 80 for each
LONGEST_KEY_NAME: Final = 255

_OWNER_ONLY = 0o600
_KEY_NAME = re.compile(r"[!-9;-~]{1,255}")  # printable ASCII without blank and colon: it stands in fields parted by both


@dataclass(frozen=True, slots=True)
class Signature:
    """64 bytes, and the name of the key that made them."""

    key_name: str
    data: bytes

    def __post_init__(self) -> None:
        _check_fields(self.key_name, self.data, SIGNATURE_SIZE)

    def __str__(self) -> str:
        return _join(self.key_name, self.data)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies the signatures of the key *name*."""

    name: str
    data: bytes

    def __post_init__(self) -> None:
        _check_fields(self.name, self.data, PUBLIC_SIZE)

    def __str__(self) -> str:
        return _join(self.name, self.data)

    def verifies(self, message: bytes, signature: Signature) -> bool:
        """Tell whether *signature* was made over *message* by this key; the names must be equal too."""
        return signature.key_name == self.name and _verify(self.data, message, signature.data)


class SecretKey:
    """What signs under the name *name*. Only `to_text` gives the secret away."""

    __slots__ = ("_seed", "name", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        _check_fields(name, seed, SEED_SIZE)
        self.name, self._seed = name, seed
        self.public = PublicKey(name, _public_of(seed))

    @classmethod
    def generate(cls, name: str) -> SecretKey:
        """Return a new key from the random source of the system."""
        return cls(name, os.urandom(SEED_SIZE))

    def __repr__(self) -> str:
        return f"SecretKey({self.name!r}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not pickled: write it with write_key_files")

    def sign(self, message: bytes) -> Signature:
        """Return the signature over *message*; the same message gives the same signature (RFC 8032, section 5.1.6)."""
        return Signature(self.name, _sign(self._seed, message))

    def to_text(self) -> str:
        """Return the key as it stands in its file: **the secret**."""
        return _join(self.name, self._seed + self.public.data)


def parse_signature(text: str) -> Signature:
    """Return the signature written as *text*. Raises CorruptDataError."""
    return Signature(*_parse(text, SIGNATURE_SIZE, "signature"))


def parse_public_key(text: str) -> PublicKey:
    """Return the public key written as *text*, as in ``trusted-public-keys``. Raises CorruptDataError."""
    return PublicKey(*_parse(text, PUBLIC_SIZE, "public key"))


def parse_secret_key(text: str) -> SecretKey:
    """Return the secret key written as *text*, which ``nix-store --generate-binary-cache-key`` puts into its secret file.

    Raises CorruptDataError, which holds nothing of the text, also where the public half does not belong to the secret one:
    signing with such a pair would give the secret away.
    """
    key, problem = _read_secret(text)
    del text  # a printer of tracebacks may show the variables of this frame
    if key is None:
        raise CorruptDataError(problem)
    return key


def read_secret_key(path: Path) -> SecretKey:
    """Return the secret key in the file *path*. Raises CorruptDataError with *path* as its source."""
    key, problem = _read_secret(_read_key_file(path))
    if key is None:
        raise CorruptDataError(problem, source=str(path))
    return key


def read_public_keys(path: Path) -> list[PublicKey]:
    """Return the public keys in the file *path*: one a line or parted by blanks; ``#`` begins a comment."""
    keys = []
    offset = 0
    for line in _read_key_file(path).splitlines(keepends=True):
        for word in re.finditer(r"\S+", line.partition("#")[0]):
            try:
                keys.append(parse_public_key(word[0]))
            except CorruptDataError as error:
                raise CorruptDataError(error.problem, source=str(path), offset=offset + word.start()) from None
        offset += len(line)
    return keys


def write_key_files(key: SecretKey, secret: Path, public: Path) -> None:
    """Write both halves of *key*, the secret one readable by its owner only; both or none. Raises FileExistsError.

    A key that exists is never replaced: what was signed with it could not be signed again.
    """
    written: list[Path] = []
    try:
        for path, text, mode in ((secret, key.to_text(), _OWNER_ONLY), (public, str(key.public), 0o644)):
            written.append(path)  # before it is there: an interrupt may come as soon as it is
            with open(_create(path, mode, written), "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    for folder in {secret.parent, public.parent}:
        sync_directory(folder)


def _create(path: Path, mode: int, written: list[Path]) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError:
        written.remove(path)  # it is not ours
        raise


def find_signer(message: bytes, signatures: Iterable[Signature], trusted: Iterable[PublicKey]) -> PublicKey | None:
    """Return the first of *trusted* that made one of *signatures* over *message*, or None."""
    made = list(signatures)
    return next((key for key in trusted for signature in made if key.verifies(message, signature)), None)


def _check_fields(name: str, data: bytes, size: int) -> None:
    if not _KEY_NAME.fullmatch(name):
        raise ConfigError(f"1 to {LONGEST_KEY_NAME} printable characters, no blank and no colon", field="key name")
    if len(data) != size:
        raise ConfigError(f"expected {size} bytes, got {len(data)}", field="key data")


def _join(name: str, data: bytes) -> str:
    return f"{name}:{base64.b64encode(data).decode('ascii')}"


def _parse(text: str, size: int, what: str) -> tuple[str, bytes]:
    name, data, problem = _split(text, size, what)
    if problem:
        raise CorruptDataError(problem)
    return name, data


def _read_secret(text: str) -> tuple[SecretKey | None, str]:
    """Return the key, or what is wrong: no exception starts where the text is at hand."""
    name, data, problem = _split(text.strip(), SECRET_SIZE, "secret key")
    if problem:
        return None, problem
    key = SecretKey(name, data[:SEED_SIZE])
    if not hmac.compare_digest(key.public.data, data[SEED_SIZE:]):
        return None, "the public half of the secret key is not the one of its secret half"
    return key, ""


def _split(text: str, size: int, what: str) -> tuple[str, bytes, str]:
    """Return name, bytes and "", or what is wrong in the third place."""
    name, colon, digits = text.partition(":")
    if not colon:
        return "", b"", f"a {what} is 'name:base64'"
    if not _KEY_NAME.fullmatch(name):
        return "", b"", f"the name of a {what} has 1 to {LONGEST_KEY_NAME} printable characters and no blank"
    data = _decode_base64(digits)
    if data is None:
        return "", b"", f"the {what} of {name} is not base 64"
    if len(data) != size:
        return "", b"", f"the {what} of {name} has {len(data)} bytes, expected {size}"
    return name, data, ""


def _decode_base64(digits: str) -> bytes | None:
    """Return the bytes, or None; only the one text that stands for them is accepted."""
    try:
        data = base64.b64decode(digits.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if base64.b64encode(data).decode("ascii") == digits else None


def _read_key_file(path: Path) -> str:
    with open(path, "rb") as file:
        data = file.read(LARGEST_KEY_FILE)
        if not file.read(1):
            return data.decode("latin-1")  # a byte outside ASCII is refused with the rest of its word
    del data  # it may begin with a secret, and a printer of tracebacks may show it
    raise BudgetExceeded("key file", limit_bytes=LARGEST_KEY_FILE, needed_bytes=LARGEST_KEY_FILE + 1)


def _public_of(seed: bytes) -> bytes:
    from nacl.signing import SigningKey

    return bytes(SigningKey(seed).verify_key)


def _sign(seed: bytes, message: bytes) -> bytes:
    from nacl.signing import SigningKey

    return bytes(SigningKey(seed).sign(message).signature)


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    try:
        VerifyKey(public).verify(message, signature)
    except BadSignatureError:
        return False
    return True
