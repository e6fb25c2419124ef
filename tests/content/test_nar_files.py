"""Trees to NARs and back, listings and single files; Nix's own program as the judge of both."""

import errno
import io
import json
import os
import stat
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings

from siltstone.content import nar_pack
from siltstone.content.nar import iter_nar
from siltstone.content.nar_format import NarLimits
from siltstone.content.nar_listing import cat_nar, list_nar, nar_tree
from siltstone.content.nar_pack import iter_pack_nar, pack_nar
from siltstone.content.nar_unpack import unpack_nar
from siltstone.core.errors import ConfigError, CorruptDataError, NotFoundError, SiltstoneError, UnsupportedError
from tests.content.nar_world import (
    DAMAGED,
    HELLO,
    SMALL,
    directory,
    entry,
    nar,
    nar_of,
    nested,
    regular,
    snapshot,
    symlink,
    trees,
    write_tree,
)

NIX = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "NIX_REMOTE": "", "LC_ALL": "C.UTF-8"}


def nix(folder, *words, data=b"", check=True):
    """Run a program of Nix that needs no store; its folders for state are made below *folder*."""
    state = {name: str(folder / "nix" / name.lower()) for name in ("NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_LOG_DIR")}
    return subprocess.run(words, input=data, capture_output=True, check=check, timeout=60, env={**NIX, **state})


@pytest.fixture
def place(tmp_path):
    """Return new paths, one for each call."""
    count = 0

    def new():
        nonlocal count
        count += 1
        return tmp_path / f"tree{count}"

    return new


@settings(max_examples=50)
@given(tree=trees)
def test_a_tree_packs_to_its_nar_and_comes_back(place, tree):
    source, target = place(), place()
    write_tree(os.fsencode(source), tree)
    blocks = []
    summary = pack_nar(source, blocks.append)
    archive = b"".join(blocks)
    assert archive == nar_of(tree) == b"".join(iter_pack_nar(source))
    assert unpack_nar(archive, target) == summary
    assert snapshot(target) == snapshot(source)


@pytest.mark.oracle
@settings(max_examples=15)
@given(tree=trees)
def test_nix_dumps_the_same_bytes_and_restores_the_same_tree(place, tmp_path, tree):
    source, target = place(), place()
    write_tree(os.fsencode(source), tree)
    ours = b"".join(iter_pack_nar(source))
    assert nix(tmp_path, "nix-store", "--dump", str(source)).stdout == ours
    nix(tmp_path, "nix-store", "--restore", str(target), data=ours)
    assert snapshot(target) == snapshot(source)


@pytest.mark.oracle
def test_nix_computes_the_same_hash(tmp_path):
    unpack_nar(SMALL, tmp_path / "tree")
    summary = pack_nar(tmp_path / "tree", lambda block: None)
    told = nix(tmp_path, "nix-hash", "--type", "sha256", "--base32", str(tmp_path / "tree")).stdout.decode().strip()
    assert summary.nar_hash == f"sha256:{told}"
    assert summary.as_dict() == {"nar_size": len(SMALL), "nar_hash": summary.nar_hash, "nar_hash_sri": summary.sri,
                                 "files": 3, "directories": 3, "symlinks": 1, "contents_bytes": 25}


# Nix 2.8, which Debian has, is older than its own list of bad archives; what later versions refuse and it takes is named.
TAKEN_BY_OLD_NIX = {
    "executable after contents", "unsorted", "no contents", "no target", "nul in a target", "too deep", "trailing",
    "another archive behind",
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", DAMAGED)
def test_nix_refuses_what_is_refused_here(tmp_path, name):
    refused = nix(tmp_path, "nix-store", "--restore", str(tmp_path / "theirs"), data=DAMAGED[name], check=False).returncode != 0
    assert refused or name in TAKEN_BY_OLD_NIX
    with pytest.raises(CorruptDataError):
        unpack_nar(DAMAGED[name], tmp_path / "ours")


@pytest.mark.oracle
def test_nix_lists_the_same(tmp_path):
    (tmp_path / "small.nar").write_bytes(SMALL)
    words = ("nix", "--extra-experimental-features", "nix-command", "nar")
    theirs = nix(tmp_path, *words, "ls", "--json", "-R", str(tmp_path / "small.nar"), "/").stdout
    assert json.loads(theirs) == nar_tree(list_nar(SMALL))
    theirs = nix(tmp_path, *words, "cat", str(tmp_path / "small.nar"), "/bin/run").stdout
    assert theirs == b"".join(cat_nar(SMALL, "/bin/run"))


def test_listings_nest_and_tell_offsets():
    tree = nar_tree(list_nar(SMALL))
    assert list(tree["entries"]) == ["bin", "empty", "link", "text", "zero"]
    run = tree["entries"]["bin"]["entries"]["run"]
    assert run == {"type": "regular", "size": 17, "executable": True, "narOffset": SMALL.index(b"#!")}
    assert tree["entries"]["link"] == {"type": "symlink", "target": "bin/run"}
    assert nar_tree(list_nar(SMALL, "/bin/")) == tree["entries"]["bin"]
    assert nar_tree(list_nar(SMALL, "bin/run")) == run
    assert [node.path for node in list_nar(SMALL, recursive=False)] == [b"", b"bin", b"empty", b"link", b"text", b"zero"]
    assert nar_tree(list_nar(nar(directory((b"\xff", HELLO)))))["entries"]["\udcff"]["size"] == 12
    with pytest.raises(NotFoundError, match="/bin/absent"):
        list(list_nar(SMALL, "bin/absent"))


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.inner.readinto(memoryview(buffer)[:13])


@pytest.mark.parametrize("opened", [io.BytesIO, lambda data: io.BufferedReader(Pipe(data)), bytes])
def test_one_file_comes_out_of_a_file_a_pipe_or_a_buffer(opened):
    assert b"".join(cat_nar(opened(SMALL), "text")) == b"12345678"
    assert b"".join(cat_nar(opened(SMALL), "/./zero")) == b""
    assert b"".join(cat_nar(opened(nar(HELLO)), "/")) == b"Hello World\n"
    for path, error in (("absent", NotFoundError), ("bin", ConfigError), ("link", ConfigError), ("text/x", NotFoundError)):
        with pytest.raises(error):
            list(cat_nar(opened(SMALL), path))
    with pytest.raises(CorruptDataError):
        list(cat_nar(opened(SMALL + b"\0"), "text"))


def test_asking_for_a_directory_does_not_hold_its_entries():
    archive = io.BytesIO(nar(directory(*((b"%06d" % number, regular(b"")) for number in range(30_000)))))
    tracemalloc.start()
    with pytest.raises(ConfigError, match="is a directory"):
        list(cat_nar(archive, "/"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_files_longer_than_a_read_are_packed_and_unpacked(tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(1 << 10) * 3_000 + b"tail")
    archive = b"".join(iter_pack_nar(tmp_path / "big"))
    unpack_nar(io.BytesIO(archive), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "big").read_bytes()


def test_what_is_not_asked_for_is_not_packed(tmp_path):
    for number in range(30):
        (tmp_path / f"{number:02}").write_bytes(bytes(300_000))
    blocks = iter_pack_nar(tmp_path)
    for _ in range(4):
        next(blocks)
    (tmp_path / "29").unlink()
    with pytest.raises(FileNotFoundError):
        list(blocks)


@pytest.mark.parametrize("make", [
    lambda path: os.mkfifo(path), lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
], ids=["pipe", "socket"])
def test_what_a_nar_cannot_hold_is_refused(tmp_path, make):
    make(tmp_path / "odd")
    for path in (tmp_path, tmp_path / "odd"):
        with pytest.raises(UnsupportedError, match="odd"):
            list(iter_pack_nar(path))


def test_only_the_owner_decides_what_is_executable(tmp_path):
    for mode in (0o644, 0o655, 0o744, 0o611):
        (tmp_path / f"{mode:o}").write_bytes(b"")
        (tmp_path / f"{mode:o}").chmod(mode)
    found = {node.path: node.executable for node in list_nar(b"".join(iter_pack_nar(tmp_path))) if node.path}
    assert found == {b"644": False, b"655": False, b"744": True, b"611": False}


@pytest.mark.parametrize(("size", "change", "verb"), [
    (100, 50, "shrank"), (100, 150, "grew"), (400_000, 300_000, "shrank"), (400_000, 500_000, "grew"),
])
def test_a_file_that_changes_its_size_is_told(tmp_path, monkeypatch, size, change, verb):
    (tmp_path / "file").write_bytes(bytes(size))
    fstat = os.fstat

    def late_change(descriptor):
        status = fstat(descriptor)
        os.truncate(tmp_path / "file", change)
        return status

    monkeypatch.setattr(nar_pack.os, "fstat", late_change)
    with pytest.raises(CorruptDataError, match=f"{verb} while"):
        list(iter_pack_nar(tmp_path / "file"))


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_becomes_a_link_meanwhile_is_not_followed(tmp_path, name):
    folder, tree = outside(tmp_path), tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "file").write_bytes(b"")
    (tree / "big").write_bytes(bytes(400_000))
    blocks = iter_pack_nar(tree)
    next(blocks)  # the names of the tree are known then
    (tree / name).rename(tree / "away")
    (tree / name).symlink_to(folder / "file" if name == "file" else folder)
    with pytest.raises(OSError) as caught:
        list(blocks)
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)


def test_trees_deeper_than_a_nar_are_refused_before_they_are_written(tmp_path):
    path = tmp_path
    for _ in range(64):
        path = path / "d"
        path.mkdir()
    assert len(list(iter_nar(b"".join(iter_pack_nar(tmp_path / "d"))))) == 128
    (path / "file").touch()
    with pytest.raises(UnsupportedError, match="nested"):
        list(iter_pack_nar(tmp_path / "d"))


def test_modes_are_those_of_new_files_or_of_a_store(tmp_path):
    before = os.umask(0o027)
    try:
        unpack_nar(SMALL, tmp_path / "new")
        unpack_nar(SMALL, tmp_path / "store", canonical=True)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE(os.lstat(tmp_path / name).st_mode)
             for name in ("new", "new/bin", "new/bin/run", "new/text", "store", "store/bin", "store/bin/run", "store/text")}
    assert modes == {"new": 0o750, "new/bin": 0o750, "new/bin/run": 0o750, "new/text": 0o640,
                     "store": 0o555, "store/bin": 0o555, "store/bin/run": 0o555, "store/text": 0o444}
    assert {os.lstat(tmp_path / "store" / name).st_mtime for name in ("", "bin", "text", "link", "empty")} == {1.0}
    assert os.lstat(tmp_path / "new/text").st_mtime > 1e9


def test_an_existing_target_is_refused_and_left_alone(tmp_path):
    (tmp_path / "there").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    for name in ("there", "dangling", "folder"):
        with pytest.raises(ConfigError, match="exists"):
            unpack_nar(SMALL, tmp_path / name)
    assert (tmp_path / "there").read_text() == "mine"
    assert len(os.listdir(tmp_path)) == 3


def test_a_parent_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        unpack_nar(SMALL, tmp_path / "absent" / "tree")
    assert caught.value.filename == str(tmp_path / "absent")


@pytest.mark.parametrize("node", [HELLO, symlink(b"x"), directory()])
def test_a_target_that_appears_meanwhile_is_left_alone(tmp_path, node):
    def pieces():
        (tmp_path / "target").write_text("mine")
        yield nar(node)

    with pytest.raises(ConfigError, match="exists"):
        unpack_nar(pieces(), tmp_path / "target")
    assert (tmp_path / "target").read_text() == "mine"
    assert os.listdir(tmp_path) == ["target"]


def test_the_hash_is_checked_before_anything_is_seen(tmp_path):
    right = pack_nar(__file__, lambda block: None).sha256
    archive = b"".join(iter_pack_nar(__file__))
    with pytest.raises(CorruptDataError, match="hash"):
        unpack_nar(archive, tmp_path / "file", sha256=bytes(32))
    assert os.listdir(tmp_path) == []
    unpack_nar(archive, tmp_path / "file", sha256=right)
    assert os.listdir(tmp_path) == ["file"]


COLLIDING = nar(directory((b"A", HELLO), (b"README", symlink(b"x")), (b"ReadMe", directory((b"x", HELLO))), (b"a", HELLO)))


def test_names_that_differ_in_case_are_renamed_and_come_back(tmp_path):
    unpack_nar(COLLIDING, tmp_path / "tree", collisions="rename")
    assert sorted(os.listdir(tmp_path / "tree")) == ["A", "README", "ReadMe~nix~case~hack~1", "a~nix~case~hack~1"]
    assert b"".join(iter_pack_nar(tmp_path / "tree", case_hack=True)) == COLLIDING
    (tmp_path / "tree" / "a").touch()
    with pytest.raises(UnsupportedError, match="there twice"):
        list(iter_pack_nar(tmp_path / "tree", case_hack=True))
    with pytest.raises(UnsupportedError, match="suffix"):
        unpack_nar(nar(directory((b"a~nix~case~hack~1", HELLO))), tmp_path / "other", collisions="rename")


@pytest.mark.parametrize("names", [(b"A", b"a"), (b"STRASSE", "straße".encode()), ("e\u0301".encode(), "é".encode())])
def test_names_that_some_file_systems_take_for_one_are_refused_on_request(tmp_path, names):
    archive = nar(directory(*((name, HELLO) for name in names)))
    with pytest.raises(UnsupportedError, match="differs"):
        unpack_nar(archive, tmp_path / "tree", collisions="refuse")
    assert os.listdir(tmp_path) == []
    unpack_nar(archive, tmp_path / "tree")
    with pytest.raises(ConfigError, match="collisions"):
        unpack_nar(archive, tmp_path / "other", collisions="maybe")


def test_a_file_system_that_takes_two_names_for_one_is_told(tmp_path, monkeypatch):
    from siltstone.content import nar_unpack

    real = os.open
    monkeypatch.setattr(nar_unpack.os, "open", lambda path, *words, **named: real(
        path.lower() if isinstance(path, bytes) else path, *words, **named))
    with pytest.raises(UnsupportedError, match="takes two names for one"):
        unpack_nar(nar(directory((b"A", HELLO), (b"a", HELLO))), tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def outside(tmp_path):
    """A folder that no archive may reach, and a snapshot of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")
    return tmp_path / "outside"


def raw(*entries):
    return nar(directory(*entries))


@pytest.mark.parametrize("archive", [
    raw((b"link", symlink(b"../outside")), (b"link", directory((b"file", HELLO)))),
    raw((b"a", directory((b"link", symlink(b"../../outside")), (b"link", directory((b"file", HELLO)))))),
    raw((b"link", symlink(b"../outside/file")), (b"link", HELLO)),
    raw((b"link", symlink(b"../outside")), (b"link/file", HELLO)),
    raw((b"../outside/file", HELLO)), raw((b"..", directory((b"outside", directory((b"file", HELLO)))))),
    raw((b"a", directory((b"..", HELLO)))), raw((b"/outside", HELLO)), raw((b"a\\..\\b", HELLO), (b"a/../b", HELLO)),
    nar(nested(70, HELLO)), raw((b"ok", HELLO), (b"nul\0", HELLO)),
])
def test_archives_that_reach_outside_are_refused_and_leave_nothing(tmp_path, archive):
    folder = outside(tmp_path)
    before = snapshot(folder)
    for collisions in ("target", "refuse", "rename"):
        with pytest.raises(SiltstoneError):
            unpack_nar(archive, tmp_path / "tree", collisions=collisions)
        assert os.listdir(tmp_path) == ["outside"]
    assert snapshot(folder) == before


def test_links_are_made_and_not_followed(tmp_path):
    folder = outside(tmp_path)
    archive = raw((b"LINK", symlink(os.fsencode(folder))), (b"abs", symlink(b"/etc/passwd")),
                  (b"link", directory((b"file", HELLO))))
    unpack_nar(archive, tmp_path / "tree")
    assert snapshot(folder) == {b"file": (b"mine", False)}
    assert os.readlink(tmp_path / "tree/abs") == "/etc/passwd"


def test_budgets_stop_an_archive_before_it_fills_the_disk(tmp_path):
    def many():
        yield nar(directory())[:-16]
        for number in range(1_000_000):
            yield entry(b"%06d" % number, regular(b""))

    with pytest.raises(MemoryError, match="nar entries"):
        unpack_nar(many(), tmp_path / "tree", limits=NarLimits(entries=1_000))
    declared = nar(regular(b""))[:-24] + (1 << 50).to_bytes(8, "little")
    with pytest.raises(MemoryError, match="nar contents"):
        unpack_nar(declared, tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def test_budgets_stop_packing_and_listing(tmp_path):
    unpack_nar(SMALL, tmp_path / "tree")
    for limits, name in ((NarLimits(entries=6), "nar entries"), (NarLimits(contents_bytes=20), "nar contents")):
        with pytest.raises(MemoryError, match=name):
            list(iter_pack_nar(tmp_path / "tree", limits=limits))
    assert b"".join(iter_pack_nar(tmp_path / "tree", limits=NarLimits(entries=7, contents_bytes=25))) == SMALL
    assert nar_tree(list_nar(SMALL), limit_entries=7)
    with pytest.raises(MemoryError, match="nar listing"):
        nar_tree(list_nar(SMALL), limit_entries=6)


def test_a_target_may_have_the_longest_name(tmp_path):
    unpack_nar(SMALL, tmp_path / ("ä" * 127))
    assert os.listdir(tmp_path) == ["ä" * 127]


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, CorruptDataError("bad"), OSError(28, "full")])
def test_whatever_stops_it_nothing_is_left(tmp_path, canonical, error):
    def pieces():
        yield SMALL[:len(SMALL) - 40]
        raise error

    with pytest.raises(BaseException):  # noqa: B017 - the three have nothing else in common
        unpack_nar(pieces(), tmp_path / "tree", canonical=canonical)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [1, 2])
def test_an_interrupt_right_after_a_folder_is_made_leaves_nothing(tmp_path, monkeypatch, number):
    real, made = os.mkdir, []

    def interrupted(path, *words, **named):
        real(path, *words, **named)
        if "dir_fd" not in named:  # the private folder, and the target
            made.append(path)
            if len(made) == number:
                raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack_nar(SMALL, tmp_path / "tree")
    monkeypatch.undo()
    assert len(made) == number
    assert os.listdir(tmp_path) == []


def test_a_store_tree_can_be_made_and_taken_back_by_an_ordinary_user(tmp_path):
    tmp_path.chmod(0o777)
    code = f"""
import os
from siltstone.content.nar_unpack import unpack_nar
os.chdir({str(tmp_path)!r})
if os.getuid() == 0:  # whoever was root may remove anything, and shows nothing
    os.setgid(65534), os.setuid(65534)
archive = bytes.fromhex({SMALL.hex()!r})
unpack_nar(archive, "tree", canonical=True)
try:
    unpack_nar(archive, "other", canonical=True, sha256=bytes(32))
except ValueError:
    print(sorted(os.listdir(".")))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "['tree']\n", done.stderr
