"""Progress draws, never falls and can be stopped; metrics count when on and keep nothing when off."""

from __future__ import annotations

import io

import pytest

from siltstone.cli.terminal import Terminal
from siltstone.core import NO_METRICS, NO_PROGRESS, Cancelled, Metrics, Progress, ProgressState


def test_percent_follows_the_weights_and_ends_at_100() -> None:
    seen: list[ProgressState] = []
    progress = Progress(seen.append, weights={"read": 1, "write": 3})
    progress.stage("read", 10)
    progress.advance(10)
    progress.stage("write", 4)
    progress.finish()
    assert [state.percent for state in seen][-2:] == [25, 100]
    assert seen[-1].finished
    assert [state.percent for state in seen] == sorted(state.percent for state in seen)


def test_a_cancelled_progress_stops_the_work() -> None:
    progress = Progress()
    progress.stage("read")
    progress.cancel()
    with pytest.raises(Cancelled):
        progress.advance()


def test_the_shared_nothing_keeps_nothing() -> None:
    NO_PROGRESS.stage("read", 3)
    NO_PROGRESS.advance()
    NO_METRICS.count("blobs")
    with NO_METRICS.timer("scan"):
        pass
    assert NO_METRICS.as_dict() == {"counts": {}, "seconds": {}, "peak_bytes": {}}
    assert not NO_METRICS.enabled


def test_metrics_add_up() -> None:
    metrics = Metrics()
    metrics.count("blobs", 2)
    metrics.count("blobs")
    metrics.record_peak("scan", 10)
    metrics.record_peak("scan", 5)
    with metrics.timer("scan"):
        pass
    told = metrics.as_dict()
    assert told["counts"] == {"blobs": 3}
    assert told["peak_bytes"] == {"scan": 10}
    assert metrics.seconds("scan") >= 0


def test_without_a_terminal_progress_is_plain_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal.of_process({}, out, err)
    progress = terminal.progress(weights={"read": 1, "write": 1})
    progress.stage("read", 2)
    progress.stage("write", 2)
    progress.finish()
    assert err.getvalue() == "PROGRESS:0 read\nPROGRESS:50 write\nPROGRESS:100 done\n"
    assert out.getvalue() == ""


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_bar_is_removed_before_a_line() -> None:
    out, err = _Screen(), _Screen()
    terminal = Terminal.of_process({"TERM": "xterm"}, out, err)
    terminal.progress(weights={"read": 1}).stage("read", 2)
    terminal.note("silt: stopped")
    assert err.getvalue().endswith("\r\x1b[Ksilt: stopped\n")
    assert terminal.style("x", "red") == "\x1b[31mx\x1b[0m"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_refused(environment) -> None:
    terminal = Terminal.of_process(environment, _Screen(), _Screen())
    assert terminal.style("x", "red") == "x"


def test_a_stop_waits_where_a_foreign_library_works() -> None:
    terminal = Terminal.of_process({}, io.StringIO(), io.StringIO())
    progress = terminal.progress()
    assert not terminal.cancel()
    with progress.deferred():
        assert terminal.cancel()
    assert not terminal.cancel()
    with pytest.raises(Cancelled):
        progress.check()
