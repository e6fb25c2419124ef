"""Where a repository is found and which formats are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError, NotFoundError, UnsupportedError
from siltstone.gitobjects.ids import SHA1, SHA256
from siltstone.gitobjects.repository import open_repository, read_settings

Git = Callable[..., bytes]


def test_a_work_tree_and_everything_inside(repository: Path, git: Git) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    for place in (repository, repository / "deep" / "er", repository / ".git", repository / ".git" / "refs"):
        found = open_repository(place)
        assert (found.git_dir, found.common_dir, found.work_tree) == (repository / ".git", repository / ".git", repository)
        assert found.algorithm is SHA1
        assert found.objects_dir == repository / ".git" / "objects"


def test_a_bare_repository_has_no_work_tree(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", "bare.git")
    found = open_repository(tmp_path / "bare.git")
    assert (found.git_dir, found.work_tree, found.algorithm) == (tmp_path / "bare.git", None, SHA256)


def test_a_linked_worktree_shares_the_common_folder(repository: Path, tmp_path: Path, git: Git) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "first")
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    for place in (tmp_path / "linked", tmp_path / "linked" / ".git", repository / ".git" / "worktrees" / "linked"):
        found = open_repository(place)
        assert found.git_dir == repository / ".git" / "worktrees" / "linked"
        assert found.common_dir == repository / ".git"
        assert found.work_tree == tmp_path / "linked"


def test_a_separate_git_folder_and_a_configured_work_tree(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--separate-git-dir", "elsewhere", "tree")
    assert open_repository(tmp_path / "tree").git_dir == tmp_path / "elsewhere"
    git(tmp_path / "tree", "config", "core.worktree", str(tmp_path / "tree"))
    assert open_repository(tmp_path / "elsewhere").work_tree == tmp_path / "tree"


def test_git_files_may_lead_to_git_files_but_not_in_a_circle(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"gitdir: {repository}/.git\n")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".git").write_text("gitdir: ../one\n")
    assert open_repository(tmp_path / "two").git_dir == repository / ".git"
    (tmp_path / "one").write_text("gitdir: two/.git\n")
    with pytest.raises(NotFoundError):
        open_repository(tmp_path / "one")


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path.mkdir(), lambda path: path.write_text("gitdir")])
def test_what_is_no_repository_is_not_found(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "place")
    with pytest.raises(NotFoundError, match="not a git repository") as caught:
        open_repository(tmp_path / "place")
    assert caught.value.name == str(tmp_path / "place")


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"core.repositoryformatversion": "2"}, UnsupportedError),
        ({"core.repositoryformatversion": "1", "extensions.newThing": "true"}, UnsupportedError),
        ({"core.repositoryformatversion": "0", "extensions.objectFormat": "sha256"}, UnsupportedError),
        ({"core.repositoryformatversion": "1", "extensions.objectFormat": "sha3"}, UnsupportedError),
        ({"core.repositoryformatversion": "one"}, CorruptDataError),
        ({"core.repositoryformatversion": "0", "extensions.newThing": "true"}, None),
        ({"core.repositoryformatversion": "1", "extensions.partialClone": "origin"}, None),
    ],
)
def test_formats_of_the_future_are_refused(
    repository: Path, settings: dict[str, str], refused: type[Exception] | None
) -> None:
    lines = []
    for name, value in settings.items():
        section, _, key = name.partition(".")
        lines.append(f"[{section}]\n\t{key} = {value}\n")
    (repository / ".git" / "config").write_text("".join(lines))
    if refused is None:
        open_repository(repository)
    else:
        with pytest.raises(refused):
            open_repository(repository)


@pytest.mark.oracle
@pytest.mark.parametrize("text", [
    "[core]\n\tbare = false\n", "[core] bare\n", '[core]\nworktree = "a b" ; comment\n', "[CORE]\nWorkTree=a\\\nb\n",
    '[core]\nworktree = "x\\t\\"y\\\\" # z\n', "[core]\n worktree =   spaced  out   # end\n",
    '[core "sub"]\nworktree = no\n[core]\nbare = yes\n', "; only\n# comments\n\n", "[core]\r\nbare = true\r\n",
])  # fmt: skip
def test_settings_are_read_as_git_reads_them(tmp_path: Path, git: Git, text: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(text.encode())
    listed = git(tmp_path, "config", "--file", str(path), "--list", "-z").decode()
    expected = {}
    for item in listed.split("\0")[:-1]:
        name, newline, value = item.partition("\n")
        if name.count(".") == 1:
            expected[name] = value if newline else "true"
    assert read_settings(path) == expected


@pytest.mark.parametrize("text", ["[core\n", "no = section?\n]", "[core]\n= 1\n", "[core]\n%\n"])
def test_settings_that_do_not_parse_are_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(CorruptDataError):
        read_settings(tmp_path / "config")


def test_comments_of_a_configuration_end_with_their_line(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "made")
    config = tmp_path / "made/.git/config"
    text = config.read_bytes().replace(b"[extensions]", b"; C:\\folder\\\n[extensions] # more \\\n")
    config.write_bytes(b"\xef\xbb\xbf" + text)
    assert git(tmp_path / "made", "rev-parse", "--show-object-format").strip() == b"sha256"
    assert open_repository(tmp_path / "made").algorithm.name == "sha256"
