"""What all tests share: one deterministic Hypothesis profile, and a git that reads no configuration of the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "siltstone", derandomize=True, deadline=None, max_examples=100, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("siltstone")

ROOT = Path(__file__).resolve().parent.parent

GIT_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A U Thor",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "C O Mitter",
    "GIT_COMMITTER_EMAIL": "committer@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_TERMINAL_PROMPT": "0",
}


@pytest.fixture(scope="session")
def git() -> Callable[..., bytes]:
    """Run the git CLI in a folder: ``git(folder, "log", "--all", input=b"", env={})`` returns its output."""

    def run(folder: Path, *words: str, input: bytes = b"", env: dict[str, str] | None = None) -> bytes:  # noqa: A002
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *words], cwd=folder, input=input,
            capture_output=True, timeout=60, check=False, env={**GIT_ENVIRONMENT, **(env or {})},
        )
        assert done.returncode == 0, (words, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    return run


@pytest.fixture
def repository(tmp_path: Path, git: Callable[..., bytes]) -> Path:
    """Return an empty work tree made by git."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference material that lies beside some checkouts, or skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder ../shared with reference data beside this checkout")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--build-mode", default="", help="the build that must be under test: release, checked or sanitized")
    parser.addoption("--no-oracle-skips", action="store_true", default=os.environ.get("SILTSTONE_REQUIRE_ORACLES") == "1",
                     help="fail the run when a test marked oracle was skipped (also: SILTSTONE_REQUIRE_ORACLES=1)")


def _is_gap(report: pytest.TestReport) -> bool:
    """Whether a skipped test is an oracle that could have run: a newer git cannot where ``SILTSTONE_NEWER_GIT`` is none."""
    excused = os.environ.get("SILTSTONE_NEWER_GIT") == "none" and "SILTSTONE_NEWER_GIT" in str(report.longrepr)
    return "oracle" in report.keywords and not excused


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if _is_gap(report)]
    if config.getoption("--no-oracle-skips") and skipped:
        terminalreporter.section("oracle tests must not be skipped here", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-oracle-skips") and reporter is not None and any(
        _is_gap(report) for report in reporter.stats.get("skipped", [])
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
