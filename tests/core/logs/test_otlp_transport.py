"""Test the end of a transport by OTLP."""

import logging
import socket
import threading
import time

from mastra_core.logs import LogTransport, OtlpTransport
from mastra_core.logs.pipeline import LogPipeline


class Hanging(LogTransport):
    """A destination that hangs until it is released."""

    def __init__(self):
        super().__init__()
        self.may_write = threading.Event()

    def write(self, lines):
        self.may_write.wait(20)


def test_the_end_takes_two_seconds_also_beside_another_destination_that_hangs():
    hanging = Hanging()
    with socket.socket() as listener:  # it accepts connections and never answers
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        pipeline = LogPipeline({"otlp": OtlpTransport(endpoint), "hanging": hanging})
        pipeline.start()
        pipeline.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO}))
        time.sleep(0.5)
        started = time.monotonic()
        pipeline.stop()
        elapsed = time.monotonic() - started
    hanging.may_write.set()
    assert elapsed < 2.8  # with some time for a busy machine
