"""``silt narinfo``: show, sign and verify what a binary cache says of a store path; make keys; find references."""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from siltstone.cli.outputs import STREAM, open_input, open_output, shown
from siltstone.cli.terminal import Terminal
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from siltstone.core.files import write_atomically

if TYPE_CHECKING:
    from siltstone.content.narinfo import NarInfo
    from siltstone.content.narinfo_check import NarFileCheck
    from siltstone.content.signing import PublicKey

_LARGEST_PATH_LIST = 64 << 20  # bytes: the closure of a large system, some 100,000 paths, takes 8 MB
_HASH_PART = re.compile(r"(?:.*/)?([0-9a-df-np-sv-z]{32})(?:-[^/]*)?")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command, and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = _add_action(actions, "show", "print a narinfo as Nix writes it")
    _add_file(show)
    show.add_argument("--fingerprint", action="store_true", help="print what signatures cover instead")
    sign = _add_action(actions, "sign", "add signatures to a narinfo")
    _add_file(sign)
    sign.add_argument("--key-file", metavar="SECRET", action="append", required=True,
                      help="a secret key as nix-store --generate-binary-cache-key writes it; may be repeated")
    target = sign.add_mutually_exclusive_group()
    target.add_argument("-o", "--output", metavar="OUT", default=STREAM, help="where to (default: standard output)")
    target.add_argument("--in-place", action="store_true", help="replace FILE, whole or not at all")
    sign.add_argument("--force", action="store_true", help="replace an existing OUT")
    verify = _add_action(actions, "verify", "check that a trusted key signed a narinfo, and that an archive is the stated one; "
                                            "exit code 2 where it is not")
    _add_file(verify)
    verify.add_argument("--public-key", metavar="NAME:BASE64", action="append", default=[], help="trust a key; may be repeated")
    verify.add_argument("--trusted-keys-file", metavar="KEYS", action="append", default=[],
                        help="trust the keys in a file, parted by blanks or lines; '#' begins a comment")
    verify.add_argument("--nar", metavar="NAR", help="also check sizes and hashes of this file, which URL stands for")
    keygen = _add_action(actions, "keygen", "make a key pair; the secret file is readable by its owner only")
    keygen.add_argument("name", metavar="NAME", help="name of the key, such as cache.example.org-1")
    keygen.add_argument("secret", metavar="SECRET", help="file for the secret key; it must not exist")
    keygen.add_argument("public", metavar="PUBLIC", help="file for the public key; it must not exist")
    references = _add_action(actions, "references", "list which store paths occur in a file, as Nix finds references")
    references.add_argument("file", metavar="FILE",
                            help="any file, also compressed (zstd, xz, bzip2, lz4); '-' for standard input")
    references.add_argument("paths", metavar="PATH", nargs="*", help="a store path, its last component or its 32 digits")
    references.add_argument("--paths-from", metavar="LIST", help="a file with more of them, parted by blanks or lines")


def _add_action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    action.add_argument("--json", action="store_true", help="print one JSON object")
    action.add_argument("--quiet", action="store_true", help="draw no progress and write no notes")
    return action


def _add_file(action: argparse.ArgumentParser) -> None:
    action.add_argument("file", metavar="FILE", help="a narinfo; '-' for standard input")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do what was asked and return the exit code."""
    actions = {"show": _show, "sign": _sign, "verify": _verify, "keygen": _keygen, "references": _references}
    return actions[arguments.action](arguments, terminal)


def _show(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.narinfo import fingerprint, format_narinfo

    info = _read_narinfo(arguments.file)
    if arguments.json:
        terminal.write(json.dumps({"narinfo": arguments.file, **info.as_dict(), "fingerprint": fingerprint(info).decode()}))
    elif arguments.fingerprint:
        terminal.write(fingerprint(info).decode())
    else:
        terminal.write(format_narinfo(info).decode().rstrip("\n"))
    return 0


def _sign(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.narinfo import format_narinfo, sign_narinfo
    from siltstone.content.signing import read_secret_key

    if arguments.in_place and arguments.file == STREAM:
        raise ConfigError("standard input has no place", field="in-place")
    if arguments.json and not arguments.in_place and arguments.output == STREAM:
        raise ConfigError("standard output holds the narinfo: choose a file with -o", field="json")
    info = _read_narinfo(arguments.file)
    keys = [read_secret_key(Path(path)) for path in arguments.key_file]
    for key in keys:
        info = sign_narinfo(info, key)
    if arguments.in_place:
        place = Path(os.path.realpath(arguments.file))  # a link stays one
        write_atomically(place, format_narinfo(info), mode=stat.S_IMODE(place.stat().st_mode))
    else:
        with open_output(arguments.output, force=arguments.force) as out:
            out.write(format_narinfo(info))
    if arguments.json:
        places = {"narinfo": arguments.file, "output": arguments.file if arguments.in_place else arguments.output}
        terminal.write(json.dumps({**places, "keys": [key.name for key in keys], **info.as_dict()}))
    elif not arguments.quiet:
        terminal.note(f"signed {info.store_path} with {', '.join(key.name for key in keys)}")
    return 0


def _verify(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.narinfo import verify_narinfo

    trusted = _trusted_keys(arguments)
    info = _read_narinfo(arguments.file)
    verdict = verify_narinfo(info, trusted)
    check = _check_nar(arguments, terminal, info) if arguments.nar else None
    problems = list(check.problems if check else ())
    if verdict.signer is None:
        seen = f"bad: {', '.join(verdict.bad) or 'none'}; not trusted: {', '.join(verdict.unknown) or 'none'}"
        problems.insert(0, f"Sig: no trusted key signed this ({seen}; unreadable: {verdict.unreadable})")
    if arguments.json:
        terminal.write(json.dumps({
            "narinfo": arguments.file, "store_path": str(info.store_path), "verified": not problems, "problems": problems,
            "signer": verdict.signer.name if verdict.signer else None, "good": verdict.good, "bad": verdict.bad,
            "unknown": verdict.unknown, "unreadable": verdict.unreadable, "content_addressed": verdict.content_addressed,
            "nar": check.as_dict() if check else None,
        }))
    else:
        for problem in problems:
            terminal.write(shown(problem))
        if not problems and not arguments.quiet:
            archive = ", archive as stated" if check else ""
            terminal.note(f"verified {info.store_path}: signed by {', '.join(verdict.good)}{archive}")
    return CorruptDataError.exit_code if problems else 0


def _trusted_keys(arguments: argparse.Namespace) -> list[PublicKey]:
    from siltstone.content.signing import parse_public_key, read_public_keys

    keys = [key for path in arguments.trusted_keys_file for key in read_public_keys(Path(path))]
    for text in arguments.public_key:
        try:
            keys.append(parse_public_key(text))
        except CorruptDataError as error:
            raise ConfigError(error.problem, field="public-key") from None
    if not keys:
        raise ConfigError("nothing is trusted: give --public-key or --trusted-keys-file", field="public-key")
    return keys


def _check_nar(arguments: argparse.Namespace, terminal: Terminal, info: NarInfo) -> NarFileCheck:
    from siltstone.content.narinfo_check import check_nar_file

    if arguments.nar == STREAM == arguments.file:
        raise ConfigError("only one of both can be standard input", field="nar")
    progress = terminal.progress(quiet=arguments.quiet, weights={"verify": 1.0})
    with open_input(arguments.nar) as (file, size):
        progress.stage("verify", size)
        check = check_nar_file(info, file, progress=progress)
    progress.finish()
    return check


def _keygen(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.signing import SecretKey, write_key_files

    key = SecretKey.generate(arguments.name)
    write_key_files(key, Path(arguments.secret), Path(arguments.public))
    if arguments.json:
        terminal.write(json.dumps({"name": key.name, "secret_file": arguments.secret, "public_file": arguments.public,
                                   "public_key": str(key.public)}))
    else:
        terminal.write(str(key.public))
    return 0


def _references(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from siltstone.content.nar import pieces_of
    from siltstone.content.nar_source import open_nar
    from siltstone.content.references import ReferenceScanner

    wanted = _hash_parts(arguments)
    scanner = ReferenceScanner(wanted)
    progress = terminal.progress(quiet=arguments.quiet, weights={"scan": 1.0})
    with open_input(arguments.file) as (file, size):
        progress.stage("scan", size)
        for piece in pieces_of(open_nar(file)):
            scanner.feed(piece)
            progress.advance(memoryview(piece).nbytes)
            if scanner.complete:
                break
    progress.finish()
    found = [text for part, text in wanted.items() if part in scanner.found]
    if arguments.json:
        terminal.write(json.dumps({"file": arguments.file, "searched": len(wanted), "references": found}))
    else:
        for text in found:
            terminal.write(shown(text))
    return 0


def _hash_parts(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what to search for: the hash part of each path, and the path as it was given."""
    words = list(arguments.paths)
    if arguments.paths_from:
        with open(arguments.paths_from, "rb") as file:
            words += _read_limited(file, "path list", _LARGEST_PATH_LIST).decode("utf-8", "surrogateescape").split()
    parts: dict[str, str] = {}
    for word in words:
        match = _HASH_PART.fullmatch(word)
        if match is None:
            raise ConfigError(f"{shown(word[:300])!r} has no hash of a store path", field="paths")
        parts.setdefault(match[1], word)
    if not parts:
        raise ConfigError("name the store paths to search for, or give --paths-from", field="paths")
    return parts


def _read_narinfo(path: str) -> NarInfo:
    from siltstone.content.narinfo import LARGEST_NARINFO, parse_narinfo

    with open_input(path) as (file, _):
        return parse_narinfo(_read_limited(file, "narinfo", LARGEST_NARINFO), source=path)


def _read_limited(file: BinaryIO, name: str, limit_bytes: int) -> bytes:
    data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise BudgetExceeded(name, limit_bytes=limit_bytes, needed_bytes=len(data))
    return data
