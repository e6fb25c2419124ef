"""Every error this library raises on purpose, and the exit code each one means.

SiltstoneError
├── ConfigError        a setting is out of range                 exit 1   (also ValueError)
├── NotFoundError      a named thing does not exist              exit 1   (also LookupError)
├── CorruptDataError   bytes do not follow their format          exit 2   (also ValueError)
├── UnsupportedError   valid, but not handled here               exit 2   (also NotImplementedError)
├── StoreError         a store is unreachable, locked or newer   exit 3
├── BudgetExceeded     a stated limit would be passed            exit 5   (also MemoryError)
├── IncompleteError    completeness was required and not reached exit 6
└── Cancelled          the caller asked to stop                  exit 130

A plain ``OSError`` (permission, disk full) passes unwrapped and means exit 4.  Messages say what was wrong, where, and
what was expected; they never hold a secret or the whole input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

OS_ERROR_EXIT = 4
FINDINGS_EXIT = 10


class SiltstoneError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "siltstone"
    exit_code: ClassVar[int] = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain values: ``code``, ``message`` and the fields of its class."""
        return {"code": self.code, "message": str(self), **self._fields()}

    def _fields(self) -> dict[str, Any]:
        return {}


class ConfigError(SiltstoneError, ValueError):
    """A setting is out of range; *field* is its name."""

    code = "config"

    def __init__(self, problem: str, *, field: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field

    def _fields(self) -> dict[str, Any]:
        return {"field": self.field}


class NotFoundError(SiltstoneError, LookupError):
    """A named thing does not exist; *name* is what was asked for."""

    code = "not-found"

    def __init__(self, problem: str, *, name: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name

    def _fields(self) -> dict[str, Any]:
        return {"name": self.name}


class CorruptDataError(SiltstoneError, ValueError):
    """Bytes do not follow their format; *source* names the file or object, *offset* the byte, where they are known."""

    code = "corrupt"
    exit_code = 2

    def __init__(self, problem: str, *, source: str = "", offset: int | None = None) -> None:
        place = f" at byte {offset}" if offset is not None else ""
        super().__init__(f"{source}: {problem}{place}" if source else f"{problem}{place}")
        self.problem, self.source, self.offset = problem, source, offset

    def within(self, source: str, base_offset: int = 0) -> CorruptDataError:
        """Return the same error placed in *source*, its offset counted from *base_offset*."""
        offset = None if self.offset is None else self.offset + base_offset
        return CorruptDataError(self.problem, source=source, offset=offset)

    def _fields(self) -> dict[str, Any]:
        return {"source": self.source, "offset": self.offset}


class UnsupportedError(SiltstoneError, NotImplementedError):
    """The input is valid, but this library does not handle it."""

    code = "unsupported"
    exit_code = 2

    def __init__(self, problem: str, *, source: str = "") -> None:
        super().__init__(f"{source}: {problem}" if source else problem)
        self.source = source

    def _fields(self) -> dict[str, Any]:
        return {"source": self.source}


class StoreError(SiltstoneError):
    """A store or database is unreachable, locked, or of a newer schema."""

    code = "store"
    exit_code = 3

    def __init__(self, problem: str, *, store: str) -> None:
        super().__init__(f"{store}: {problem}")
        self.store = store

    def _fields(self) -> dict[str, Any]:
        return {"store": self.store}


class BudgetExceeded(SiltstoneError, MemoryError):  # noqa: N818 - the name users know from the field
    """A stated limit would be passed: *needed_bytes* in all, where *limit_bytes* are allowed.

    *unit* says what is counted where it is not bytes.
    """

    code = "budget"
    exit_code = 5

    def __init__(self, name: str, *, limit_bytes: int, needed_bytes: int, unit: str = "bytes") -> None:
        super().__init__(f"budget '{name}' allows {limit_bytes:,} {unit}, {needed_bytes:,} are needed")
        self.name, self.limit_bytes, self.needed_bytes, self.unit = name, limit_bytes, needed_bytes, unit

    def _fields(self) -> dict[str, Any]:
        return {"name": self.name, "limit_bytes": self.limit_bytes, "needed_bytes": self.needed_bytes, "unit": self.unit}


class IncompleteError(SiltstoneError):
    """Something could not be read, and the caller required completeness; *ledger* counts what, by reason."""

    code = "incomplete"
    exit_code = 6

    def __init__(self, problem: str, *, ledger: Mapping[str, int]) -> None:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(ledger.items()))
        super().__init__(f"{problem}: {reasons}" if reasons else problem)
        self.ledger = dict(ledger)

    def _fields(self) -> dict[str, Any]:
        return {"ledger": self.ledger}


class Cancelled(SiltstoneError):  # noqa: N818 - a state, not a fault
    """The caller asked to stop."""

    code = "cancelled"
    exit_code = 130

    def __init__(self, problem: str = "interrupted") -> None:
        super().__init__(problem)


def exit_code_of(error: BaseException) -> int:
    """Return the documented exit code of *error*; one that is not ours and not the system's is a bug: 70."""
    if isinstance(error, SiltstoneError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return Cancelled.exit_code
    if isinstance(error, OSError):
        return OS_ERROR_EXIT
    if isinstance(error, MemoryError):
        return BudgetExceeded.exit_code
    return 70


def describe(error: BaseException) -> str:
    """Return *error* as one line for a person; an ``OSError`` names its file and its reason."""
    if isinstance(error, OSError) and error.errno is not None:
        reason = os.strerror(error.errno)
        names = [os.fsdecode(name) for name in (error.filename, error.filename2)
                 if isinstance(name, (str, bytes, os.PathLike))]
        return f"{' -> '.join(names)}: {reason}" if names else reason
    if type(error) is MemoryError:
        return "the system gives no more memory"
    return " ".join(str(error).split()) or type(error).__name__
