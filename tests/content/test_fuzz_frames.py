"""The fuzz target of frames runs and finds nothing in a few hundred fixed tries."""

from fuzz.fuzz_frames import SEEDS, check
from fuzz.mutation import fuzz


def test_decoders_of_frames_survive_mutation_and_agree():
    assert 0 < fuzz(check, SEEDS, seed=2_028, iterations=800) < 800
