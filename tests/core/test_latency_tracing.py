"""Histograms say what a sorted list would, to the width of a bucket; warnings are rare; tracing samples and can be switched."""

from __future__ import annotations

import logging
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siltstone.core import ConfigError, Metrics
from siltstone.core.latency import BOUNDS, LatencyHistogram, LatencyWatch
from siltstone.core.tracing import BLOCKS, CHUNKS, NO_TRACER, OFF, STREAMS, TraceEvent, Tracer

SECONDS = st.lists(st.floats(0, 5_000, allow_nan=False), max_size=50)
BUCKET = 2 ** 0.25


@given(SECONDS, st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
@example([1e-9], 0.5)
@example([1e9], 0.99)
def test_a_quantile_is_that_of_the_sorted_list_to_one_bucket(seconds, share):
    histogram = LatencyHistogram()
    for one in seconds:
        histogram.record(one)
    if not seconds:
        assert histogram.quantile(share) == 0.0
        return
    rank = max(1, -(-int(share * len(seconds) * 1000) // 1000)) if share else 1
    exact = sorted(seconds)[min(rank, len(seconds)) - 1]
    told = histogram.quantile(share)
    assert told <= max(seconds)
    assert exact <= told * (1 + 1e-12) or told == max(seconds)
    assert told <= max(exact * BUCKET * 1.001, BOUNDS[0])  or told == max(seconds)


@given(SECONDS, SECONDS)
def test_histograms_add_up(first, second):
    parts = [LatencyHistogram(), LatencyHistogram(), LatencyHistogram()]
    for histogram, seconds in zip(parts, (first, second, first + second), strict=True):
        for one in seconds:
            histogram.record(one)
    parts[0].merge(parts[1])
    told, whole = parts[0].as_dict(), parts[2].as_dict()
    assert told.pop("total") == pytest.approx(whole.pop("total"))
    assert told == whole


def test_a_clock_that_went_back_counts_as_nothing():
    histogram = LatencyHistogram()
    histogram.record(-1.0)
    assert (histogram.count, histogram.total) == (1, 0.0)
    with pytest.raises(ConfigError, match="share"):
        histogram.quantile(1.5)


def test_threads_lose_no_time_and_no_count():
    metrics = Metrics()

    def work() -> None:
        for _ in range(500):
            metrics.add(counts={"blocks": 1}, seconds={"cut": 0.001})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.counter("blocks") == metrics.latencies()["cut"]["count"] == 2_000
    assert metrics.seconds("cut") == pytest.approx(2.0)


def test_a_threshold_warns_at_once_and_then_rarely(caplog):
    now = 0.0
    watch = LatencyWatch({"cut": 0.5}, interval_seconds=60.0, clock=lambda: now)
    assert not watch.check("cut", 0.5)
    assert not watch.check("other", 99.0)
    for _ in range(10):
        assert watch.check("cut", 0.75)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage() == "cut took 0.750 seconds, more than 0.500"
    now = 61.0
    watch.check("cut", 2.0)
    assert caplog.records[1].getMessage() == "cut took 2.000 seconds, more than 0.500; 9 more since the last warning"
    with pytest.raises(ConfigError, match="cut"):
        LatencyWatch({"cut": 0.0})


def test_every_nth_event_of_a_name_is_handed_over():
    events: list[TraceEvent] = []
    tracer = Tracer(events.append, level=CHUNKS, every=3)
    for number in range(7):
        tracer.emit(CHUNKS, "chunk", number=number)
    tracer.emit(BLOCKS, "block")
    assert [(event.name, event.ordinal) for event in events] == [("chunk", 0), ("chunk", 3), ("chunk", 6), ("block", 0)]
    assert events[1].fields == {"number": 3}


def test_the_level_can_be_changed_at_any_time():
    events: list[TraceEvent] = []
    tracer = Tracer(events.append, level=STREAMS)
    tracer.emit(BLOCKS, "block")
    tracer.level = BLOCKS
    tracer.emit(BLOCKS, "block")
    tracer.level = OFF
    tracer.emit(STREAMS, "stream")
    assert [event.name for event in events] == ["block"]


@pytest.mark.parametrize("settings", [{"every": 0}, {"level": 9}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Tracer(**settings)


def test_the_shared_tracer_stays_off():
    with pytest.raises(AttributeError):
        NO_TRACER.level = BLOCKS
    NO_TRACER.emit(BLOCKS, "block")
    assert NO_TRACER.level == OFF


def test_events_go_to_the_log_by_default(caplog):
    with caplog.at_level(logging.DEBUG, logger="siltstone.trace"):
        Tracer().emit(BLOCKS, "block", index=4)
    assert caplog.messages == ["block #0 index=4"]
