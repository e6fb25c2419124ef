"""A small repository with code in four languages, a history, and a planted secret; made by git, the same each time."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path

Git = Callable[..., bytes]

FILES = {
    "shop/__init__.py": "from shop.models import Order\n",
    "shop/models.py": (
        "class Model:\n    def save(self):\n        return self.check()\n\n    def check(self):\n        return True\n\n\n"
        "class Order(Model):\n    def check(self):\n        return bool(self.lines)\n"
    ),
    "shop/views.py": (
        "from shop.models import Order\n\n\ndef place(request):\n    order = Order()\n    order.save()\n"
        "    return render(order)\n"
    ),
    "web/app.ts": (
        "import { total } from './total';\n\nexport interface Line { price: number }\n\n"
        "export class Cart {\n  sum(lines: Line[]): number {\n    return total(lines);\n  }\n}\n"
    ),
    "web/total.ts": "export function total(lines: { price: number }[]): number {\n  return lines.length;\n}\n",
    "native/sum.c": "#include \"sum.h\"\n\nint sum(int a, int b) { return a + b; }\n",
    "native/sum.h": "int sum(int a, int b);\n",
    "README.md": "# Shop\n",
}


def planted_token(seed: int = 7) -> str:
    """A string of the form of a GitHub token that never was one."""
    chosen = random.Random(seed)
    return "ghp" + "_" + "".join(chosen.choices(string.ascii_letters + string.digits, k=36))


def commit_all(git: Git, folder: Path, subject: str, time: int) -> None:
    date = {"GIT_AUTHOR_DATE": f"{time} +0000", "GIT_COMMITTER_DATE": f"{time} +0000"}
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", subject, env=date)


def make_sample(git: Git, folder: Path) -> Path:
    """Fill the empty work tree *folder*: the secret comes with the first commit and is gone after the second."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "settings.py").write_text(f"DEBUG = True\nTOKEN = '{planted_token()}'\n")
    commit_all(git, folder, "first", 1_700_000_000)
    (folder / "settings.py").write_text("DEBUG = False\n")
    commit_all(git, folder, "remove the token", 1_700_000_100)
    return folder
