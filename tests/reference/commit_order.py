"""Orders and reach over commits by their definition: sets, and the smallest of all that may come next."""

from __future__ import annotations


def links_of(parents: list[int], starts: list[int], chosen: list[int]) -> dict[int, list[int]]:
    """The chosen rows with their chosen parents."""
    return {
        row: [parent for parent in parents[starts[row] : starts[row + 1]] if parent >= 0 and chosen[parent]]
        for row in range(len(starts) - 1) if chosen[row]
    }


def order_rows(order: int, times: list[int], parents: list[int], starts: list[int], chosen: list[int]) -> list[int]:
    links = links_of(parents, starts, chosen)
    if order == 2:
        return _parents_first(links, times)
    waits = dict.fromkeys(links, 0)
    for named in links.values():
        for parent in named:
            waits[parent] += 1
    ready, line, rows = {row for row in links if not waits[row]}, [], []
    while ready or line:
        if line:
            row = line.pop()
        else:
            row = max(ready, key=lambda each: (times[each], each))
            ready.remove(row)
        rows.append(row)
        for parent in links[row]:
            waits[parent] -= 1
            if not waits[parent]:
                if order == 0:
                    line.append(parent)
                else:
                    ready.add(parent)
    return rows


def _parents_first(links: dict[int, list[int]], times: list[int]) -> list[int]:
    left, rows = dict(links), []
    while left:
        ready = [row for row, named in left.items() if not any(parent in left for parent in named)]
        if not ready:
            break  # a cycle
        row = min(ready, key=lambda each: (times[each], each))
        rows.append(row)
        del left[row]
    return rows


def mark_reached(
    met: list[int], tips: list[int], parents: list[int], starts: list[int], *, first_parent: bool = False
) -> list[int]:
    met, pending = list(met), list(tips)
    while pending:
        row = pending.pop()
        if not met[row]:
            met[row] = 1
            named = parents[starts[row] : starts[row + 1]]
            pending += [parent for parent in (named[:1] if first_parent else named) if parent >= 0]
    return met
