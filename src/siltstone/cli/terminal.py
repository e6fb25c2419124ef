"""What the command line knows of the world outside: streams, colour, width, and how progress is drawn."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Collection, Mapping
from typing import TextIO

from siltstone.cli import render
from siltstone.core.progress import Progress, ProgressState
from siltstone.native import native_status

_BAR_CELLS = 24
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Terminal:
    """Data goes to *out*; progress and notes go to *err*: a live bar on a terminal, ``PROGRESS:`` lines otherwise."""

    def __init__(self, out: TextIO, err: TextIO, *, live: bool, colour: bool, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._out, self._err = out, err
        self._live, self._colour = live, colour
        self._bar_shown = False
        self._last_line = ""
        self._started: list[Progress] = []

    @classmethod
    def of_process(cls, environment: Mapping[str, str], out: TextIO | None, err: TextIO | None) -> Terminal:
        """Read NO_COLOR, TERM and whether the streams are terminals; what their encoding lacks is escaped from now on."""
        plain = environment.get("TERM") == "dumb"
        out, err = out or io.StringIO(), err or io.StringIO()  # a closed stream: nobody listens
        for stream in (out, err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return cls(out, err, live=err.isatty() and not plain, environment=environment,
                   colour=out.isatty() and not plain and not environment.get("NO_COLOR"))

    @property
    def kernel(self) -> str:
        """The variant of kernels that ``SILTSTONE_KERNEL`` forces, else ``auto``."""
        return self.environment.get("SILTSTONE_KERNEL") or "auto"

    def kernel_among(self, variants: Collection[str]) -> str:
        """Return the one of *variants* that ``SILTSTONE_KERNEL`` forces; ``auto`` where only another kernel has that one.

        Raises ConfigError for a name that no kernel has here.
        """
        if self.kernel in variants:
            return self.kernel
        if self.kernel != "auto":
            native_status(self.kernel)
        return "auto"

    def write(self, text: str) -> None:
        """Write one line of data."""
        self.end_progress()
        self._out.write(text + "\n")

    def flush(self) -> None:
        """Hand all data over; a closed pipe shows here."""
        self._out.flush()

    def note(self, text: str) -> None:
        """Write one line for a person, beside the data; what a name holds never steers the terminal."""
        self.end_progress()
        self._tell("\n".join(map(render.printable, text.split("\n"))) + "\n")

    def style(self, text: str, name: str) -> str:
        """Return *text* in a style of the terminal, or as it is where colour is off."""
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self._colour else text

    def progress(self, *, weights: Mapping[str, float] | None = None, quiet: bool = False) -> Progress:
        """Return a Progress that draws here; *weights* are the shares of the stages, in the order they run."""
        self._started.append(Progress(None if quiet else self._draw, weights=weights))
        return self._started[-1]

    def cancel(self) -> bool:
        """Ask all work that was given a progress here to stop at its next look; return whether it must not be torn away."""
        for progress in self._started:
            progress.cancel()
        return any(progress.deferring for progress in self._started)

    def end_progress(self) -> None:
        """Remove the live bar, so that a line of text starts clean."""
        if self._bar_shown:
            self._tell("\r\x1b[K")
            self._bar_shown = False

    def _tell(self, text: str) -> None:
        """Write beside the data. Where nobody reads that any more (``2>&1 | head``) the work goes on, unwatched."""
        try:
            self._err.write(text)
            self._err.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._err.fileno())  # what waits in the stream's buffer goes there too
            os.close(nowhere)

    def _draw(self, state: ProgressState) -> None:
        count = f" {state.done:,}/{state.total:,}" if state.total else f" {state.done:,}" if state.done else ""
        if not self._live:
            line = f"PROGRESS:{state.percent} {state.stage}"
            if line != self._last_line:
                self._tell(line + "\n")
                self._last_line = line
            return
        if state.finished:
            self.end_progress()
            return
        filled = _BAR_CELLS * state.percent // 100
        text = f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {state.percent:3d}% {state.stage}{count}"
        self._tell("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
        self._bar_shown = True
