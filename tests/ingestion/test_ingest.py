"""One repository through every layer: the truth of the summary, and a second run that equals a fresh one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from siltstone import CorruptDataError, Graph, IncompleteError, NotFoundError, ingest
from siltstone.core import Cancelled, ConfigError, Progress
from siltstone.detection.rules import RuleSet, default_rules
from siltstone.graph.reader import StoreReader
from siltstone.graph.store import find_database
from tests.ingestion.sample import FILES, Git, commit_all, make_sample, planted_token
from tests.reference.scip_schema import message_classes


@pytest.fixture
def sample(repository: Path, git: Git) -> Path:
    return make_sample(git, repository)


def content(output: Path) -> dict[str, object]:
    """Everything a run keeps that must not depend on how it came about."""
    store = StoreReader.open_existing(find_database(output))
    try:
        return {
            "digest": store.digest(),
            "findings": [repr(row) for row in store.findings()],
            "files": [repr(row) for row in store.files()],
        }
    finally:
        store.close()


def fresh(sample: Path, output: Path, **options: object) -> dict[str, object]:
    shutil.rmtree(output, ignore_errors=True)
    ingest(sample, output=output, **options)
    return content(output)


@pytest.mark.oracle
def test_summary_tells_the_truth_about_the_repository(sample: Path, git: Git, tmp_path: Path) -> None:
    summary = ingest(sample, output=tmp_path / "out")
    assert summary.head == git(sample, "rev-parse", "HEAD").decode().strip()
    assert summary.object_format == "sha1"
    assert summary.code.files == len(git(sample, "ls-files").splitlines()) == len(FILES) + 1
    assert summary.code.languages["python"] == 4
    listed = git(sample, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert summary.history.commits == listed.count(b"commit") == 2
    assert summary.history.blobs == summary.history.blobs_scanned == listed.count(b"blob")
    assert sum(summary.history.findings.values()) == 1
    assert summary.coverage["complete"] is True
    assert json.loads(json.dumps(summary.as_dict()))["code"]["files"] == summary.code.files


def test_the_graph_answers(sample: Path, tmp_path: Path) -> None:
    ingest(sample, output=tmp_path / "out")
    with Graph.open(tmp_path / "out") as graph:
        (model,) = graph.find("Model")
        assert [hit.entity.name for hit in graph.implements(model).hits] == ["Order"]


def test_a_finding_names_where_the_secret_was_and_never_holds_it(sample: Path, git: Git, tmp_path: Path) -> None:
    output = tmp_path / "out"
    summary = ingest(sample, output=output)
    assert planted_token() not in json.dumps(summary.as_dict())
    (finding,) = content(output)["findings"]
    assert "settings.py" in finding
    assert git(sample, "rev-list", "--max-parents=0", "HEAD").decode().strip() in finding
    for path in output.rglob("*"):
        assert not path.is_file() or planted_token().encode() not in path.read_bytes()


def test_a_second_run_changes_nothing_and_scans_nothing(sample: Path, git: Git, tmp_path: Path) -> None:
    output = tmp_path / "out"
    (sample / "shop/copy.py").write_text(FILES["shop/views.py"])  # equal content in one run is no re-use
    commit_all(git, sample, "copy", 1_700_000_150)
    first = ingest(sample, output=output)
    assert first.code.files_reused == 0
    before = content(output)
    second = ingest(sample, output=output)
    assert second.unchanged
    assert not first.unchanged
    assert (second.history.blobs_scanned, second.history.blobs_reused) == (0, first.history.blobs)
    assert second.graph_digest == first.graph_digest
    assert second.code == replace(first.code, files_reused=second.code.files_reused)
    assert content(output) == before


def test_after_one_edited_file_a_second_run_equals_a_fresh_one(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = ingest(sample, output=output)
    (sample / "shop/views.py").write_text("from shop.models import Model\n\n\nclass Basket(Model):\n    pass\n")
    second = ingest(sample, output=output)
    assert second.graph_digest != first.graph_digest
    assert second.code.files_reused > 0
    assert content(output) == fresh(sample, tmp_path / "fresh")


def test_after_one_new_commit_a_second_run_equals_a_fresh_one(sample: Path, git: Git, tmp_path: Path) -> None:
    output = tmp_path / "out"
    ingest(sample, output=output)
    (sample / "deploy.sh").write_text(f"export GITHUB_TOKEN={planted_token(8)}\n")
    commit_all(git, sample, "a new secret", 1_700_000_200)
    second = ingest(sample, output=output)
    assert second.history.blobs_scanned == 1
    assert sum(second.history.findings.values()) == 2
    assert content(output) == fresh(sample, tmp_path / "fresh")


def test_after_one_changed_rule_a_second_run_equals_a_fresh_one(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = ingest(sample, output=output)
    (found,) = first.history.findings
    rules = default_rules()
    fewer = RuleSet.of(rule for rule in rules if rule.id != found)
    without = ingest(sample, output=output, rules=fewer)
    assert found not in without.history.findings
    assert content(output) == fresh(sample, tmp_path / "fewer", rules=fewer)
    again = ingest(sample, output=output, rules=rules)
    assert again.history.findings == first.history.findings
    assert content(output) == fresh(sample, tmp_path / "fresh", rules=rules)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(sample: Path, tmp_path: Path, workers: int) -> None:
    assert fresh(sample, tmp_path / "a", workers=workers) == fresh(sample, tmp_path / "b", workers=1)


def test_a_bare_repository_needs_an_output_and_gives_the_same_graph(sample: Path, git: Git, tmp_path: Path) -> None:
    bare = tmp_path / "sample.git"
    git(tmp_path, "clone", "-q", "--bare", str(sample), str(bare))
    with pytest.raises(ConfigError, match="output"):
        ingest(bare)
    of_bare = ingest(bare, output=tmp_path / "bare-out", repo_id="sample")
    of_tree = ingest(sample, output=tmp_path / "tree-out", repo_id="sample")
    assert of_bare.graph_digest == of_tree.graph_digest
    assert of_bare.history.findings == of_tree.history.findings


def test_a_url_is_fetched_and_read(sample: Path, tmp_path: Path) -> None:
    summary = ingest(sample.as_uri(), output=tmp_path / "out", repo_id="sample")
    assert summary.code.files == len(FILES) + 1
    again = ingest(sample.as_uri(), output=tmp_path / "out", repo_id="sample")
    assert again.unchanged


@pytest.mark.oracle
def test_sha256_repositories_are_read_alike(tmp_path: Path, git: Git) -> None:
    folder = tmp_path / "sha256"
    folder.mkdir()
    git(folder, "init", "-q", "--object-format=sha256")
    make_sample(git, folder)
    summary = ingest(folder, output=tmp_path / "out")
    assert summary.object_format == "sha256"
    assert sum(summary.history.findings.values()) == 1


def test_an_unborn_repository_is_empty_and_no_error(repository: Path, tmp_path: Path) -> None:
    summary = ingest(repository, output=tmp_path / "out")
    assert (summary.head, summary.code.files, summary.history.blobs) == (None, 0, 0)


@pytest.mark.parametrize("name", ["absent", "plain"])
def test_what_is_no_repository_is_said_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises((NotFoundError, FileNotFoundError)):
        ingest(tmp_path / name, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_stop_leaves_the_state_of_the_last_complete_run(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    ingest(sample, output=output)
    before = content(output)
    (sample / "shop/models.py").write_text("class Model:\n    pass\n")
    for count in range(1, 12):
        drawn: list[object] = []
        progress = Progress(lambda state, drawn=drawn: drawn.append(state), weights={})

        def stop_at(state: object, progress: Progress = progress, drawn: list[object] = drawn, count: int = count) -> None:
            drawn.append(state)
            if len(drawn) >= count:
                progress.cancel()

        progress._render = stop_at
        try:
            ingest(sample, output=output, progress=progress)
        except Cancelled:
            assert content(output) == before
        else:
            break
    assert content(output) == fresh(sample, tmp_path / "fresh")


def test_a_shallow_clone_is_told_and_can_fail_the_run(sample: Path, git: Git, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", sample.as_uri(), str(shallow))
    summary = ingest(shallow)
    assert summary.coverage["counts"] == {"shallow-boundary": 1}
    with pytest.raises(IncompleteError) as caught:
        ingest(shallow, require_complete=True)
    assert caught.value.ledger == {"shallow-boundary": 1}


def packed(sample: Path, git: Git) -> Path:
    """Pack the sample and return its one pack, made writable."""
    git(sample, "gc", "-q", "--prune=now")
    (pack,) = (sample / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    return pack


def test_a_damaged_object_is_reported_and_the_rest_is_read(sample: Path, git: Git, tmp_path: Path) -> None:
    pack = packed(sample, git)
    whole = ingest(sample, output=tmp_path / "whole")
    blob = git(sample, "rev-parse", "HEAD:README.md").decode().strip()
    places = git(sample, "verify-pack", "-v", str(pack.with_suffix(".idx"))).decode().splitlines()
    offset = next(int(line.split()[4]) for line in places if line.startswith(blob))
    data = bytearray(pack.read_bytes())
    data[offset + 3] ^= 0xFF
    pack.write_bytes(data)
    summary = ingest(sample, output=tmp_path / "out")
    assert summary.coverage["counts"]["corrupt"] == 1
    assert blob in summary.coverage["examples"][0]["what"]
    assert summary.history.blobs == whole.history.blobs - 1
    assert summary.graph_digest == whole.graph_digest


@pytest.mark.parametrize("name", ["pack", "idx"])
def test_a_pack_that_is_none_ends_with_what_is_damaged(sample: Path, git: Git, tmp_path: Path, name: str) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", "--no-local", sample.as_uri(), str(bare))
    (damaged,) = (bare / "objects/pack").glob(f"*.{name}")
    damaged.chmod(0o644)
    damaged.write_bytes(b"XXXX" + damaged.read_bytes()[4:])
    with pytest.raises(CorruptDataError, match="not one blob") as caught:
        ingest(bare, output=tmp_path / "out")
    assert "pack-" in str(caught.value)


def test_a_lost_commit_of_head_is_damage(sample: Path, git: Git, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(sample), str(bare))
    head = git(bare, "rev-parse", "HEAD").decode().strip()
    (bare / "objects" / head[:2] / head[2:]).unlink()
    with pytest.raises(CorruptDataError, match="HEAD"):
        ingest(bare, output=tmp_path / "out")


def test_an_index_scip_at_the_root_is_found_and_read(sample: Path, git: Git, tmp_path: Path) -> None:
    without = ingest(sample, output=tmp_path / "out")
    index = message_classes()["Index"]()
    index.metadata.tool_info.name = "scip-python"
    document = index.documents.add(relative_path="shop/models.py", language="python")
    for name, line in (("Model", 0), ("Order", 8)):
        document.occurrences.add(range=[line, 6, 11], symbol=f"scip-python python shop 1 `shop.models`/{name}#", symbol_roles=1)
    (sample / "index.scip").write_bytes(index.SerializeToString())
    summary = ingest(sample, output=tmp_path / "out")
    assert (without.code.files_from_scip, summary.code.files_from_scip) == (0, 1)
    assert summary.graph_digest != without.graph_digest
    with Graph.open(tmp_path / "out") as graph:
        assert {row.source.name for row in graph.find("Order")} == {"SCIP"}
