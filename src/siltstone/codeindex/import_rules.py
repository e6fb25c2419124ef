"""Which class knows the imports of which language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siltstone.codeindex.c_includes import CIncludes
from siltstone.codeindex.ecmascript_imports import EcmascriptImports
from siltstone.codeindex.extraction import Extraction
from siltstone.codeindex.go_imports import GoImports
from siltstone.codeindex.import_targets import ImportTargets, Lookups
from siltstone.codeindex.java_imports import JavaImports
from siltstone.codeindex.python_imports import PythonImports
from siltstone.codeindex.rust_imports import RustImports
from siltstone.codeindex.workspace import Root

RULES_OF_LANGUAGE: dict[str, type[ImportTargets]] = {
    "python": PythonImports, "javascript": EcmascriptImports, "typescript": EcmascriptImports, "tsx": EcmascriptImports,
    "rust": RustImports, "go": GoImports, "java": JavaImports, "c": CIncludes, "cpp": CIncludes,
}


def import_targets_of(
    paths: Sequence[str], extractions: Mapping[int, Extraction], roots: Sequence[Root], lookups: Lookups
) -> dict[str, ImportTargets]:
    """Return the rules for each language that occurs."""
    languages = sorted({extraction.language for extraction in extractions.values()})
    made: dict[type[ImportTargets], ImportTargets] = {}
    result = {}
    for language in languages:
        rules = RULES_OF_LANGUAGE.get(language, ImportTargets)
        if rules not in made:
            made[rules] = rules(paths, extractions, roots, lookups)
        result[language] = made[rules]
    return result
