"""The features of the processor are those that the system reports."""

import sys

import pytest

from siltstone._native.cpu import cpu_features
from siltstone.content import cpu_features as public
from tests.reference import cpu as reference


def test_every_feature_is_told():
    assert sorted(cpu_features()) == ["avx2", "avx512bw", "avx512f", "avx512vbmi", "neon", "sha"]
    assert all(type(value) is bool for value in cpu_features().values())
    assert public() == cpu_features()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/cpuinfo")
def test_features_agree_with_the_system():
    assert cpu_features() == reference.cpu_features()
