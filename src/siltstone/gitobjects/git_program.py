"""Asks the installed git what only it can read: references kept in a format that this library has no reader for.

The only module here that runs a program. git gets the repository's folder and an environment made from nothing, so no setting
of the user or the system counts, and nothing that the repository names is run: the one command used writes nothing and so
calls no hook, looks at no work tree and so asks no file system monitor, has no pager, and may fetch nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from siltstone.core.errors import CorruptDataError, UnsupportedError

_TIMEOUT_SECONDS = 120.0
_MOST_BYTES = 1 << 30  # of output; names share prefixes on disk, so a small file may print as a large list
_MESSAGE_BYTES = 400  # of what git complains, enough for its first line
_SETTINGS = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "protocol.allow=never", "core.pager=cat")


def list_references(git_dir: Path, storage: str) -> dict[bytes, bytes]:
    """Return every reference that git lists in *git_dir*, ``HEAD`` among them, with the digits of its object.

    *storage* is what the repository calls the format, for messages.

    Raises UnsupportedError where there is no git or it cannot read this format (reftable needs git 2.45).
    """
    try:
        out = _run_git(git_dir, "for-each-ref", "--include-root-refs", "--format=%(objectname) %(refname)")
    except UnsupportedError as error:
        raise UnsupportedError(f"references kept as {storage!r}: {error}", source=os.fspath(git_dir)) from None
    found = {}
    for line in out.splitlines():
        digits, _, name = line.partition(b" ")
        found[name] = digits
    return found


def _run_git(git_dir: Path, *words: str) -> bytes:
    """Return what git prints about *git_dir*."""
    import subprocess

    program = shutil.which("git")
    if program is None or not os.path.isabs(program):  # a relative entry of PATH may lead into the repository
        raise UnsupportedError("no git is installed")
    options = [word for setting in _SETTINGS for word in ("-c", setting)]
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(
            [program, "--no-pager", *options, *words], cwd=git_dir, env=_environment(git_dir),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints,
        ) as process:  # fmt: skip
            timer = threading.Timer(_TIMEOUT_SECONDS, process.kill)
            timer.start()
            try:
                out = process.stdout.read(_MOST_BYTES + 1) if process.stdout else b""
            except BaseException:  # an interrupt: nothing goes on behind our back
                process.kill()
                raise
            finally:
                timer.cancel()
            if len(out) > _MOST_BYTES:
                process.kill()
        complaints.seek(0)
        message = complaints.read(_MESSAGE_BYTES).decode("utf-8", "replace")
    if len(out) > _MOST_BYTES:
        raise CorruptDataError(f"references take more than {_MOST_BYTES:,} bytes", source=os.fspath(git_dir))
    if process.returncode:
        raise UnsupportedError(f"the git installed says {' '.join(message.split()) or 'nothing'!r}")
    return out


def _environment(git_dir: Path) -> dict[str, str]:
    """Return what git is told: this folder and no other, nothing of the user's, nothing over the network."""
    return {
        "PATH": os.defpath,
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_DIR": os.fspath(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
