"""A private Nix store for tests that compare with Nix itself: every folder it knows is inside the test's own."""

import os
import shutil
import subprocess

import pytest


class NixStore:
    """Runs Nix's programs against a store under *folder*."""

    def __init__(self, folder):
        for name in ("nix-store", "nix-hash", "nix"):
            if shutil.which(name) is None:
                pytest.skip(f"{name} is not installed (Debian: nix-bin)")
        self.directory = str(folder / "store")
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "NIX_REMOTE": "", "NIX_STORE_DIR": self.directory,
            "NIX_STATE_DIR": str(folder / "var"), "NIX_LOG_DIR": str(folder / "log"), "NIX_CONF_DIR": str(folder / "conf"),
            "NIX_CONFIG": "build-users-group =\nexperimental-features = nix-command\nsubstituters =",
        }

    def run(self, *words, cwd=None, input=None, code=0):  # noqa: A002
        done = subprocess.run(words, cwd=cwd, input=input, capture_output=True, text=True, timeout=60, check=False,
                              env=self.environment)
        assert done.returncode == code, (words, done.stderr)
        return done.stdout.strip()

    def dump(self, path):
        """Return the archive that Nix makes of *path*."""
        words = ["nix-store", "--dump", str(path)]
        return subprocess.run(words, capture_output=True, timeout=60, check=True, env=self.environment).stdout


@pytest.fixture
def nix(tmp_path):
    """Return a Nix with an empty store of its own."""
    folder = tmp_path.resolve() / "nix"
    folder.mkdir()
    return NixStore(folder)
