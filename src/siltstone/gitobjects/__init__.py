"""Git repositories read directly: objects, trees, histories, work trees. Names are loaded when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone.core.lazy import lazy_names

if TYPE_CHECKING:
    from siltstone.gitobjects.attribution import Context as Context
    from siltstone.gitobjects.attribution import attribute as attribute
    from siltstone.gitobjects.candidate_contexts import canonical_contexts as canonical_contexts
    from siltstone.gitobjects.candidates import (
        Candidate as Candidate,
    )
    from siltstone.gitobjects.candidates import (
        CandidateBlock as CandidateBlock,
    )
    from siltstone.gitobjects.candidates import (
        iter_candidate_lines as iter_candidate_lines,
    )
    from siltstone.gitobjects.candidates import (
        iter_candidates as iter_candidates,
    )
    from siltstone.gitobjects.clone import fetch_bare as fetch_bare
    from siltstone.gitobjects.commits import (
        CommitHistory as CommitHistory,
    )
    from siltstone.gitobjects.commits import (
        CommitRecord as CommitRecord,
    )
    from siltstone.gitobjects.commits import (
        walk_commits as walk_commits,
    )
    from siltstone.gitobjects.ids import Kind as Kind
    from siltstone.gitobjects.ids import ObjectId as ObjectId
    from siltstone.gitobjects.ids import parse_object_id as parse_object_id
    from siltstone.gitobjects.ledger import CoverageLedger as CoverageLedger
    from siltstone.gitobjects.ledger import Reason as Reason
    from siltstone.gitobjects.object_block import ObjectBlock as ObjectBlock
    from siltstone.gitobjects.object_database import ObjectDatabase as ObjectDatabase
    from siltstone.gitobjects.object_names import resolve_name as resolve_name
    from siltstone.gitobjects.object_stats import ObjectStats as ObjectStats
    from siltstone.gitobjects.object_stats import count_objects as count_objects
    from siltstone.gitobjects.objects import (
        GitObject as GitObject,
    )
    from siltstone.gitobjects.objects import (
        parse_commit as parse_commit,
    )
    from siltstone.gitobjects.objects import (
        parse_tag as parse_tag,
    )
    from siltstone.gitobjects.path_names import path_fields as path_fields
    from siltstone.gitobjects.path_names import quote_path as quote_path
    from siltstone.gitobjects.path_names import unquote_path as unquote_path
    from siltstone.gitobjects.tree_diff import TreeChange as TreeChange
    from siltstone.gitobjects.tree_diff import diff_trees as diff_trees
    from siltstone.gitobjects.trees import (
        TreeEntry as TreeEntry,
    )
    from siltstone.gitobjects.trees import (
        iter_tree_files as iter_tree_files,
    )
    from siltstone.gitobjects.trees import (
        parse_tree as parse_tree,
    )
    from siltstone.gitobjects.verify import ObjectsReport as ObjectsReport
    from siltstone.gitobjects.verify import verify_objects as verify_objects
    from siltstone.gitobjects.worktree import WorkFile as WorkFile
    from siltstone.gitobjects.worktree import WorkTree as WorkTree

_HOMES = {
    "Candidate": "siltstone.gitobjects.candidates",
    "CandidateBlock": "siltstone.gitobjects.candidates",
    "CommitHistory": "siltstone.gitobjects.commits",
    "CommitRecord": "siltstone.gitobjects.commits",
    "Context": "siltstone.gitobjects.attribution",
    "CoverageLedger": "siltstone.gitobjects.ledger",
    "GitObject": "siltstone.gitobjects.objects",
    "Kind": "siltstone.gitobjects.ids",
    "ObjectBlock": "siltstone.gitobjects.object_block",
    "ObjectDatabase": "siltstone.gitobjects.object_database",
    "ObjectId": "siltstone.gitobjects.ids",
    "Reason": "siltstone.gitobjects.ledger",
    "TreeChange": "siltstone.gitobjects.tree_diff",
    "TreeEntry": "siltstone.gitobjects.trees",
    "WorkFile": "siltstone.gitobjects.worktree",
    "WorkTree": "siltstone.gitobjects.worktree",
    "attribute": "siltstone.gitobjects.attribution",
    "canonical_contexts": "siltstone.gitobjects.candidate_contexts",
    "diff_trees": "siltstone.gitobjects.tree_diff",
    "fetch_bare": "siltstone.gitobjects.clone",
    "iter_candidate_lines": "siltstone.gitobjects.candidates",
    "iter_candidates": "siltstone.gitobjects.candidates",
    "iter_tree_files": "siltstone.gitobjects.trees",
    "parse_commit": "siltstone.gitobjects.objects",
    "parse_object_id": "siltstone.gitobjects.ids",
    "parse_tag": "siltstone.gitobjects.objects",
    "parse_tree": "siltstone.gitobjects.trees",
    "path_fields": "siltstone.gitobjects.path_names",
    "quote_path": "siltstone.gitobjects.path_names",
    "resolve_name": "siltstone.gitobjects.object_names",
    "ObjectStats": "siltstone.gitobjects.object_stats",
    "ObjectsReport": "siltstone.gitobjects.verify",
    "count_objects": "siltstone.gitobjects.object_stats",
    "unquote_path": "siltstone.gitobjects.path_names",
    "verify_objects": "siltstone.gitobjects.verify",
    "walk_commits": "siltstone.gitobjects.commits",
}

__all__ = [*_HOMES]

__getattr__ = lazy_names(__name__, _HOMES)
