"""How numbers, names and tables look on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Return a number of bytes with three digits at most: ``412 MB``."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def seconds(value: float) -> str:
    """Return a duration: ``85 ms``, ``9.8 s``, ``3 min 12 s``."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 99.95:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def number(count: int, noun: str) -> str:
    """Return ``1 commit``, ``2,327 commits``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def counts(values: Mapping[str, int], *, most: int = 8) -> str:
    """Return ``python 2,770 · html 81 · 5 others 12``, the largest first, the names in order where counts are equal."""
    ranked = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{name} {count:,}" for name, count in ranked[:most]]
    rest = ranked[most:]
    if rest:
        shown.append(f"{len(rest)} others {sum(count for _, count in rest):,}")
    return " · ".join(shown)


def table(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset(), indent: str = "") -> list[str]:
    """Return *rows* as lines with aligned columns; the columns in *right* are aligned to the right."""
    rows = [tuple(row) for row in rows]
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        (indent + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Return *text* with control characters escaped: names in a repository must not drive the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
