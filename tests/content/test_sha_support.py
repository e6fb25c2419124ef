"""Whether SHA-256 uses the processor's instructions: the answer agrees with what the system says of the processor."""

import platform
from pathlib import Path

import pytest

from siltstone.content.sha_support import ShaSupport, measure_sha_support, sha256_provider
from siltstone.core.errors import UnsupportedError


def test_the_answer_is_a_ratio():
    assert ShaSupport("openssl", True, 1800, 550).uses_instructions
    assert not ShaSupport("openssl", True, 600, 550).uses_instructions


def test_it_says_where_it_cannot_tell(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(UnsupportedError, match="aarch64"):
        measure_sha_support()
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("siltstone.content.sha_support.sha256_provider", lambda: "python")
    with pytest.raises(UnsupportedError, match="OpenSSL"):
        measure_sha_support()


@pytest.mark.slow
def test_the_instructions_are_used_exactly_where_the_processor_has_them():
    flags = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not flags.exists() or sha256_provider() != "openssl":
        pytest.skip("needs OpenSSL on an x86-64 Linux: elsewhere nothing independent tells what the processor has")
    found = measure_sha_support()
    # A factor of three stands between the two, each the best of 16 tries: a busy machine slows both.
    assert found.uses_instructions == ("sha_ni" in flags.read_text().split()), found
    assert found.uses_instructions == found.processor_has_instructions
