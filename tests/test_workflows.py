"""The workflow files are well-formed and build what the packaging promises; nothing here runs them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_three_workflows_exist() -> None:
    assert [path.stem for path in WORKFLOWS] == ["bench", "test", "wheels"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_jobs_with_steps_and_little_permission(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


def test_the_check_of_a_commit_is_the_same_everywhere() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text("utf-8"))["jobs"]["test"]["steps"]
    assert any("bash .ci/run" in step.get("run", "") for step in steps)
    command = "python3 -m venv .venv && .venv/bin/pip install --quiet tox && .venv/bin/tox"
    assert command in (ROOT / ".ci/run").read_text("utf-8")
    assert command in (ROOT / "README.md").read_text("utf-8")


def test_wheels_are_built_for_the_platforms_that_the_guide_lists() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["cibuildwheel"]
    guide = (ROOT / "docs/guide/platforms.md").read_text("utf-8")
    for word in settings["build"].split():
        version = f"{word[2]}.{word[3:].removesuffix('-*')}"
        assert f"| {version} |" in guide, version
