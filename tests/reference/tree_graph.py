"""Which root first reaches a blob, by plain recursion over dictionaries."""

from __future__ import annotations

from tests.reference.tree_entries import canonical, is_tree, parse_entries


class TreeGraph:
    def __init__(self, targets: list[bytes], id_size: int) -> None:
        self.targets, self.id_size = targets, id_size
        self.trees: dict[bytes, list[tuple[int, bytes, bytes]]] = {}

    def add(self, oid: bytes, data: bytes) -> None:
        self.trees.setdefault(oid, parse_entries(data, self.id_size))

    def held(self, tree: bytes) -> set[bytes]:
        """The targets at or below *tree*."""
        found = set()
        for mode, _, oid in self.trees.get(tree, []):
            if is_tree(mode):
                found |= self.held(oid)
            elif canonical(mode) != 0o160000 and oid in self.targets:
                found.add(oid)
        return found

    def first_holders(self, roots: list[bytes]) -> list[int]:
        held = [self.held(root) for root in roots]
        return [next((i for i, found in enumerate(held) if target in found), -1) for target in self.targets]

    def below(self, tree: bytes) -> set[bytes]:
        """The trees at or below *tree* that were added."""
        found = {tree} if tree in self.trees else set()
        for mode, _, oid in self.trees.get(tree, []):
            if is_tree(mode):
                found |= self.below(oid)
        return found

    def leading_positions(self, trees: list[bytes], roots: list[bytes]) -> list[int]:
        places = dict(zip(self.targets, self.first_holders(roots), strict=True))
        below = [self.below(root) for root in roots]
        firsts = [next((i for i, found in enumerate(below) if tree in found), -1) for tree in trees]
        return [
            first if any(places[target] == first for target in self.held(tree)) else -1
            for tree, first in zip(trees, firsts, strict=True)
        ]
