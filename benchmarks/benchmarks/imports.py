"""What importing costs. A change that loads a library at import time moves these."""


class Import:
    """A fresh interpreter each time: the cost a user pays, without the interpreter's own start."""

    def timeraw_siltstone(self) -> str:
        return "import siltstone"

    def timeraw_command_line(self) -> str:
        return "import siltstone.cli.main"
