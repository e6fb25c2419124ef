"""The fuzz target of NARs runs and finds nothing in a few hundred fixed tries."""

from fuzz import fuzz_nar
from fuzz.mutation import fuzz


def test_nars_survive_mutation() -> None:
    refused = fuzz(fuzz_nar.check, fuzz_nar.seeds(2_026), seed=2_026, iterations=400)
    assert 200 < refused < 400


def test_unchanged_archives_are_taken() -> None:
    for archive in fuzz_nar.seeds(2_027, count=30):
        fuzz_nar.check(archive)
