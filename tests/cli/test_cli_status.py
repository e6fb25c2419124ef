"""``silt status``: what it prints is what the library says of itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from siltstone import __version__, native_status
from siltstone.cli.main import main


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


def test_the_object_holds_the_version_and_the_status_of_the_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status.items() >= {"version": __version__, **native_status()}.items()


def test_lines_name_the_kernels_and_the_instructions_that_the_machine_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    status = native_status()
    assert (lines["version"], lines["gear"], lines["base32"]) == (__version__, status["gear"], status["base32"])
    assert lines["cpu"] == (", ".join(name for name, found in status["cpu"].items() if found) or "-")
    assert lines["kernels"] == ", ".join(status["kernels"])


def test_a_variant_is_forced_by_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SILTSTONE_KERNEL", "scalar")
    assert main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["gear"], status["literals"]) == ("scalar", "scalar")
    monkeypatch.setenv("SILTSTONE_KERNEL", "steam")
    assert main(["status"]) == 1
    assert "steam" in capsys.readouterr().err
