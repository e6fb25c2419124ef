"""Where a repository is and what format it has: work tree, ``.git`` folder or file, linked worktree, bare.

Follows gitrepository-layout and gitformat's repository-version. No program is run and no setting outside the
repository's own ``config`` is read; includes are not followed, as git does not for these keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siltstone.core.errors import CorruptDataError, NotFoundError, UnsupportedError
from siltstone.gitobjects.ids import ALGORITHMS, SHA1, HashAlgorithm
from siltstone.gitobjects.small_files import path_named_in, read_small_file

_MOST_HOPS = 8  # `.git` files that point to `.git` files; git writes one
_MOST_CONFIG_BYTES = 1 << 22
# Extensions under which objects and refs are still read the way this module says (git's setup.c).
_KNOWN_EXTENSIONS = frozenset({
    "noop", "noop-v1", "preciousobjects", "partialclone", "worktreeconfig", "objectformat", "refstorage",
    "compatobjectformat", "relativeworktrees", "submodulepathconfig",
})  # fmt: skip
_VERSION_ONE_ONLY = frozenset({
    "noop-v1", "objectformat", "refstorage", "compatobjectformat", "relativeworktrees", "submodulepathconfig",
})  # fmt: skip
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FALSE = ("false", "no", "off", "0", "")
_SECTION = re.compile(rb'\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
_SETTING = re.compile(rb"\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=(.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Repository:
    """The places and the format of one repository; *work_tree* is None for a bare one."""

    git_dir: Path
    common_dir: Path
    work_tree: Path | None
    algorithm: HashAlgorithm
    ref_storage: str
    replaces: bool = True  # whether replace references count

    @property
    def objects_dir(self) -> Path:
        """The folder of loose objects and packs."""
        return self.common_dir / "objects"


def open_repository(path: Path | str) -> Repository:
    """Return the repository that *path* is, or is inside of, searching upwards as git does.

    Raises NotFoundError where there is none, UnsupportedError for a format of the future, CorruptDataError for a
    configuration that does not parse.
    """
    start = Path(os.path.realpath(path))
    if not start.exists():
        raise NotFoundError("no such folder, so not a git repository", name=os.fspath(path))
    if start.is_file():
        target = _follow_git_file(start)
        if target is None:
            raise NotFoundError("not a git repository", name=os.fspath(path))
        return _describe(target, start.parent if start.name == ".git" else None)
    for folder in (start, *start.parents):
        dot_git = folder / ".git"
        target = dot_git if is_git_dir(dot_git) else _follow_git_file(dot_git)
        if target is not None:
            return _describe(target, folder)
        if is_git_dir(folder):
            return _describe(folder, folder.parent if folder.name == ".git" else None)
    raise NotFoundError("not a git repository", name=os.fspath(path))


def is_git_dir(path: Path) -> bool:
    """Whether *path* looks like a git folder: a HEAD, and objects and refs of its own or in a common folder."""
    head = path / "HEAD"
    if not (head.is_symlink() or head.is_file()):
        return False
    try:
        common = common_dir_of(path)
    except CorruptDataError:
        return False
    return (common / "objects").is_dir() and (common / "refs").is_dir()


def common_dir_of(git_dir: Path) -> Path:
    """Return the folder that linked worktrees share; *git_dir* itself where it is not linked."""
    text = read_small_file(git_dir / "commondir")
    if text is None:
        return git_dir
    return Path(os.path.normpath(path_named_in(text.rstrip(b"\r\n"), git_dir, git_dir / "commondir")))


def _follow_git_file(path: Path) -> Path | None:
    """Return the git folder that a ``gitdir: <path>`` file leads to, or None where *path* is no such file."""
    for _ in range(_MOST_HOPS):
        try:
            text = read_small_file(path)
        except CorruptDataError:
            return None
        if text is None or not text.startswith(b"gitdir:"):
            return None
        path = Path(os.path.realpath(path_named_in(text[7:].strip(b" \r\n"), path.parent, path)))
        if path.is_dir():
            return path if is_git_dir(path) else None
    return None


def _describe(git_dir: Path, work_tree: Path | None) -> Repository:
    git_dir = Path(os.path.realpath(git_dir))
    common = Path(os.path.realpath(common_dir_of(git_dir)))
    settings = read_settings(common / "config")
    _check_format(settings, common)
    if settings.get("extensions.worktreeconfig", "false").lower() not in _FALSE:
        private = read_settings(git_dir / "config.worktree")
        settings |= {key: value for key, value in private.items() if key in ("core.bare", "core.worktree")}
    name = settings.get("extensions.objectformat", SHA1.name).lower()
    if name not in ALGORITHMS:
        raise UnsupportedError(f"object format {name!r} is not supported", source=os.fspath(common))
    return Repository(
        git_dir, common, _work_tree(git_dir, common, work_tree, settings), ALGORITHMS[name],
        settings.get("extensions.refstorage", "files"),
        settings.get("core.usereplacerefs", "true").lower() not in _FALSE,
    )  # fmt: skip


def _work_tree(git_dir: Path, common: Path, found: Path | None, settings: dict[str, str]) -> Path | None:
    """Return the work tree: the place of a linked worktree, the configured one, or the folder that holds ``.git``."""
    if git_dir != common:
        text = read_small_file(git_dir / "gitdir")
        if text is not None:
            return Path(os.path.realpath(path_named_in(text.strip(), git_dir, git_dir / "gitdir"))).parent
        return found
    if "core.worktree" in settings:
        return Path(os.path.realpath(path_named_in(os.fsencode(settings["core.worktree"]), git_dir, common / "config")))
    bare = settings.get("core.bare", "").lower() in ("true", "yes", "on", "1")
    return None if bare else found


def _check_format(settings: dict[str, str], common: Path) -> None:
    text = settings.get("core.repositoryformatversion", "0") or "0"
    if not text.isdecimal():
        raise CorruptDataError(f"repository format {text[:20]!r} is not a number", source=os.fspath(common / "config"))
    version = int(text)
    if version > 1:
        raise UnsupportedError(f"repository format version {version} is not supported", source=os.fspath(common))
    names = {key.partition(".")[2] for key in settings if key.startswith("extensions.")}
    refused = names - _KNOWN_EXTENSIONS if version == 1 else names & _VERSION_ONE_ONLY
    if refused:
        what = ", ".join(sorted(refused))
        raise UnsupportedError(
            f"extension {what} at repository format version {version} is not supported", source=os.fspath(common))


def read_settings(path: Path) -> dict[str, str]:
    """Return the last value of each ``section.key`` of a git configuration file; subsections are left out.

    Only what names a repository's format is ever asked of it. Raises CorruptDataError where a line does not parse.
    """
    data = read_small_file(path, _MOST_CONFIG_BYTES)
    settings: dict[str, str] = {}
    section: bytes | None = None
    for number, line in _logical_lines(data or b""):
        rest = line
        opening = _SECTION.match(rest)
        if opening is not None:
            section = opening[1].lower() if opening[2] is None else None
            rest = rest[opening.end():]
        if rest.strip(b" \t") in (b"",) or rest.lstrip()[:1] in (b"#", b";"):
            continue
        setting = _SETTING.match(rest)
        if setting is None:
            raise CorruptDataError(f"line {number} does not parse", source=os.fspath(path))
        if section is not None:
            value = b"true" if setting[2] is None else _unquote(setting[2])
            settings[f"{section.decode()}.{setting[1].lower().decode()}"] = os.fsdecode(value)
    return settings


def _logical_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield ``(number, line)`` with continued lines joined; a comment ends with its line. A byte order mark is left out."""
    held, start = b"", 1
    for number, raw in enumerate(data.removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n").split(b"\n"), 1):
        line = held + raw
        if _is_continued(line):
            held = line[:-1]
            continue
        yield start, line
        held, start = b"", number + 1
    if held:
        yield start, held


def _is_continued(line: bytes) -> bool:
    """Whether *line* ends with a backslash that is neither escaped nor in a comment."""
    quoted, at = False, 0
    while at < len(line):
        byte = line[at]
        if byte == ord("\\"):
            at += 1
        elif byte == ord('"'):
            quoted = not quoted
        elif not quoted and byte in b"#;":
            return False
        at += 1
    return at > len(line)


def _unquote(text: bytes) -> bytes:
    """Return a value without quotes, escapes, comments and outer blanks (git-config, "Syntax")."""
    escapes = {ord("n"): b"\n", ord("t"): b"\t", ord("b"): b"\b"}
    out, kept, quoted, at = bytearray(), 0, False, 0
    text = text.strip(b" \t")
    while at < len(text):
        byte = text[at]
        if byte == ord("\\") and at + 1 < len(text):
            at += 1
            out += escapes.get(text[at], text[at:at + 1])
        elif byte == ord('"'):
            quoted = not quoted
        elif not quoted and byte in b"#;":
            break
        else:
            out.append(byte)
        if quoted or byte not in b" \t":
            kept = len(out)
        at += 1
    return bytes(out[:kept])
