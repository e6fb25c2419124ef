"""Extraction over worker processes, with answers in the order of the requests for any number of workers.

Each worker is driven by one thread, which writes a batch and reads its answers.  A worker that dies or goes silent is
replaced, and its batch is repeated file by file, so that only the file that killed it has no extraction.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, cast

from siltstone.codeindex.syntax_worker import REFUSED, Answer, Request, encode_batch, encode_hello, extract_one, read_answers
from siltstone.core.budget import GIB, KIB

# Below this a second process costs more than it saves: a worker needs 0.15 s to start, in which one core extracts 0.6 MB.
IN_PROCESS_BYTES = 1_000 * KIB
_BATCH_BYTES = 256 * KIB
_BATCH_FILES = 64
_QUEUED_BATCHES_PER_WORKER = 3  # read ahead, so that no worker waits for the disk
_TIMEOUT_SECONDS = 120.0  # for one batch; a grammar reads 256 KiB in well under a second
_MEMORY_LIMIT_BYTES = 4 * GIB  # address space of one worker

Batch = list[Request]


class WorkerPool:
    """Extracts files; a context manager. With one worker or little input everything happens in this process.

    A crash of a grammar in this process cannot be caught: with *isolate* even little input goes to a worker.
    """

    def __init__(self, workers: int, *, isolate: bool = False, timeout_seconds: float = _TIMEOUT_SECONDS,
                 module: str = "siltstone.codeindex.syntax_worker") -> None:
        self._workers = max(1, workers)
        self._isolate = isolate
        self._timeout_seconds = timeout_seconds
        self._module = module
        self._jobs: queue.Queue[tuple[int, Batch] | None] = queue.Queue(self._workers * _QUEUED_BATCHES_PER_WORKER)
        self._done: dict[int, list[Answer]] = {}
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; what they were doing is lost. Closing twice is harmless."""
        with self._changed:
            self._closed = True
            for process in self._processes:
                process.kill()
            self._changed.notify_all()
        with suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def extract(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield one answer per request, in order."""
        pending = _batches(requests)
        early: list[Batch] = []
        size = 0
        for batch in pending if not self._isolate else ():
            early.append(batch)
            size += sum(len(source) for _, source in batch)
            if size >= IN_PROCESS_BYTES:
                break
        if not self._isolate and (self._workers == 1 or size < IN_PROCESS_BYTES):
            for batch in early:
                yield from (extract_one(language, source) for language, source in batch)
            early.clear()
            if self._workers == 1:
                for batch in pending:
                    yield from (extract_one(language, source) for language, source in batch)
            return
        yield from self._through_workers(early, pending)

    def _through_workers(self, early: list[Batch], pending: Iterator[Batch]) -> Iterator[Answer]:
        self._start()
        asked = given = 0
        window = self._workers * (_QUEUED_BATCHES_PER_WORKER + 1)
        for batch in _chained(early, pending):
            if asked - given >= window:
                yield from self._take(given)
                given += 1
            self._jobs.put((asked, batch))
            asked += 1
        while given < asked:
            yield from self._take(given)
            given += 1

    def _take(self, number: int) -> list[Answer]:
        with self._changed:
            while number not in self._done and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise self._failure
            return self._done.pop(number)

    def _start(self) -> None:
        for number in range(self._workers):
            thread = threading.Thread(target=self._drive, name=f"syntax-worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _drive(self) -> None:
        """Feed one worker until there are no more jobs."""
        worker: _Worker | None = None
        try:
            while (job := self._jobs.get()) is not None and not self._closed:
                number, batch = job
                worker, answers = self._answers(worker, batch)
                with self._changed:
                    self._done[number] = answers
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - handed to the caller by _take
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            self._end(worker)

    def _answers(self, worker: _Worker | None, batch: Batch) -> tuple[_Worker | None, list[Answer]]:
        worker = worker or self._new_worker()
        answers = worker.ask(batch)
        if answers is not None:
            return worker, answers
        self._end(worker)
        if len(batch) == 1 or self._closed:
            return None, [(REFUSED, b"the extractor crashed or took too long")] * len(batch)
        found: list[Answer] = []
        next_worker: _Worker | None = None
        for request in batch:
            next_worker, single = self._answers(next_worker, [request])
            found += single
        return next_worker, found

    def _new_worker(self) -> _Worker:
        command = [sys.executable, "-P", "-m", self._module]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with self._changed:
            self._processes.add(process)
            if self._closed:
                process.kill()
        return _Worker(process, self._timeout_seconds)

    def _end(self, worker: _Worker | None) -> None:
        if worker is not None:
            worker.close()
            with self._changed:
                self._processes.discard(worker.process)


class _Worker:
    """One process and its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], timeout_seconds: float) -> None:
        self.process = process
        self._greeting = encode_hello(_MEMORY_LIMIT_BYTES)
        self._timeout_seconds = timeout_seconds

    def ask(self, batch: Batch) -> list[Answer] | None:
        """Return the answers, or None where the process died or was too slow (it is killed then)."""
        watch = threading.Timer(self._timeout_seconds, self.process.kill)
        watch.daemon = True
        watch.start()
        try:
            requests, answers = cast(BinaryIO, self.process.stdin), cast(BinaryIO, self.process.stdout)
            requests.write(self._greeting + encode_batch(batch))
            self._greeting = b""
            requests.flush()
            found = read_answers(answers)
        except (OSError, EOFError):
            return None
        finally:
            watch.cancel()
        return found if len(found) == len(batch) else None

    def close(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                cast(BinaryIO, pipe).close()
        self.process.wait()


def _batches(requests: Iterable[Request]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for request in requests:
        if batch and size + len(request[1]) > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += len(request[1])
        if len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _chained(early: list[Batch], pending: Iterator[Batch]) -> Iterator[Batch]:
    yield from early
    yield from pending
