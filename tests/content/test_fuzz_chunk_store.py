"""The fuzz target of packs and manifests runs, and finds nothing in some hundred fixed tries."""

from fuzz import fuzz_chunk_store
from fuzz.mutation import fuzz


def test_damaged_and_forged_files_of_a_store_are_refused():
    refused = fuzz(fuzz_chunk_store.target, fuzz_chunk_store.seeds(), seed=2_028, iterations=400)
    assert 200 < refused < 400  # some forged ones are valid files of other content


def test_the_seeds_are_read():
    for data in fuzz_chunk_store.seeds():
        fuzz_chunk_store.target(data)
        assert fuzz_chunk_store.reseal(data) == data
