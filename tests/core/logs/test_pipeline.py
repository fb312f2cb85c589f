"""Test the pipeline: custom transports, failures, its thread, and losses."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mastra_core import Secret, create_logger
from mastra_core.errors import ConfigError
from mastra_core.logs import FileTransport, LogTransport, bind_log_fields
from mastra_core.logs.background_writer import MAX_BYTES
from mastra_core.logs.pipeline import find_pipeline


@pytest.fixture
def build():
    """Create a logger with transports; return its pipeline and what its stream has."""

    def create(level="debug", **transports):
        stream = io.StringIO()
        logger = create_logger("piped", level, format="json", stream=stream, transports=transports)

        def read_lines():
            return [json.loads(line) for line in stream.getvalue().splitlines()]

        return logger, find_pipeline(logger), read_lines

    yield create
    for name in ("piped", "mastra"):
        logging.getLogger(name).handlers = []


class Blocked(LogTransport):
    """A destination that hangs until it is released."""

    def __init__(self):
        super().__init__()
        self.may_write = threading.Event()
        self.lines = []

    def write(self, lines):
        self.may_write.wait(20)
        self.lines.extend(lines)


class Failing(LogTransport):
    """A destination that fails as long as ``is_broken``."""

    def __init__(self):
        super().__init__()
        self.is_broken = True
        self.lines = []

    def write(self, lines):
        if self.is_broken:
            raise OSError("the printer burns")
        self.lines.extend(lines)


class Collector(logging.Handler):
    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_handler_of_logging_gets_final_masked_records(build, in_thread):
    handler = Collector(logging.WARNING)
    logger, pipeline, lines = build(custom=handler)
    if in_thread:
        pipeline.start()
    names = ["ann"]
    with bind_log_fields(request_id="r1", run_id="r2"):
        logger.info("below the level of the handler")
        logger.warning("%s left", names, extra={"api_key": "sk-1", "names": names})
    names.append("bob")
    if in_thread:
        pipeline.stop()
    (record,) = handler.records
    assert record.getMessage() == "['ann'] left"
    assert (record.api_key, record.names, record.request_id) == ("****", ["ann"], "r1")
    assert [line["run_id"] for line in lines()] == ["r2", "r2"]
    assert "bob" not in str(lines())


def test_the_level_of_a_handler_may_change(build):
    handler = Collector(logging.WARNING)
    logger, _, _ = build(custom=handler)
    for level in (logging.INFO, logging.ERROR):
        handler.setLevel(level)
        logger.info("info at %s", level)
        logger.warning("warning at %s", level)
    assert [record.getMessage() for record in handler.records] == ["info at 20", "warning at 20"]


def test_a_failure_is_reported_once_and_the_lines_are_counted(build, capsys):
    broken = Failing()
    logger, pipeline, lines = build(broken=broken)
    for _ in range(50):
        logger.info("hello")
    reports = [line for line in lines() if line["name"] == "mastra.logs"]
    assert len(reports) == 1
    assert reports[0]["msg"] == "1 log lines for 'broken' are lost: the printer burns"
    assert pipeline.get_lost_counts() == {"broken": 50}
    broken.is_broken = False
    logger.info("again")
    assert len(broken.lines) == 1
    assert capsys.readouterr().err == ""


def test_a_value_that_cannot_be_text_costs_its_own_line_only(build):
    class Bad:
        def __str__(self):
            raise RuntimeError("no text")

    logger, pipeline, lines = build()
    logger.info("x", extra={"value": Bad()})
    logger.info("next")
    assert "next" in [line["msg"] for line in lines()]
    assert pipeline.get_lost_counts() == {"stream": 1}


def test_a_destination_that_hangs_delays_nobody(build):
    blocked = Blocked()
    logger, pipeline, lines = build(blocked=blocked)
    pipeline.start()
    logger.info("first")
    time.sleep(0.3)
    text, started = "x" * 10_000, time.process_time()
    for _ in range(2000):
        logger.info(text)
    assert time.process_time() - started < 5
    lost = sum(pipeline.get_lost_counts().values())
    assert lost >= 2 * 2000 - 2 * MAX_BYTES / 10_000 - 10
    started = time.monotonic()
    blocked.may_write.set()
    pipeline.stop()
    assert time.monotonic() - started < 3
    reports = [line["msg"] for line in lines() if line["name"] == "mastra.logs"]
    assert any("more lines were logged than could be written" in each for each in reports)
    assert len(blocked.lines) + pipeline.get_lost_counts()["blocked"] >= 2001


def test_stopping_does_not_wait_for_a_destination_that_hangs(build):
    blocked = Blocked()
    logger, pipeline, _ = build(blocked=blocked)
    pipeline.start()
    logger.info("first")
    time.sleep(0.3)
    started = time.monotonic()
    pipeline.stop()
    logger.info("after the end")  # would hang as well
    assert time.monotonic() - started < 4
    blocked.may_write.set()


class Chatty(LogTransport):
    """A destination that logs each write."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def write(self, lines):
        self.lines.extend(lines)
        logging.getLogger("piped").info("sending %d", len(lines))


class ChattyWithoutThread(Chatty):
    is_blocking = False


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("kind", [Chatty, ChattyWithoutThread])
def test_a_transport_that_logs_does_not_log_itself(build, kind, in_thread):
    first, second = kind(), kind()
    logger, pipeline, lines = build(first=first, second=second)
    if in_thread:
        pipeline.start()
    logger.info("hello")
    if in_thread:
        pipeline.stop()
    assert sorted(line["msg"] for line in lines()) == ["hello", "sending 1", "sending 1"]
    assert len(first.lines) == len(second.lines) == 1
    assert pipeline.get_lost_counts() == {}


def test_a_transport_that_logs_after_the_end_of_the_thread_does_not_log_itself(build):
    chatty = Chatty()
    logger, pipeline, lines = build(chatty=chatty)
    pipeline.start()
    logger.info("first")
    pipeline._writer.stop(20)  # the pipeline has not forgotten the thread yet
    logger.info("late")
    pipeline.stop()
    texts = [line["msg"] for line in lines()]
    assert texts == ["first", "sending 1", "late", "sending 1"]
    assert len(chatty.lines) == 2


def test_a_stream_that_logs_ends_and_its_loss_is_counted():
    class ChattyStream(io.StringIO):
        def write(self, text):
            logging.getLogger("piped").info("writing")
            return super().write(text)

    stream = ChattyStream()
    logger = create_logger("piped", format="json", stream=stream)
    logger.info("hello")
    texts = [json.loads(line)["msg"] for line in stream.getvalue().splitlines()]
    assert texts[:2] == ["hello", "writing"]
    assert (
        "1 log lines for 'stream' are lost: each line that is written causes another one" in texts
    )
    assert 100 < len(texts) < 250
    logging.getLogger("piped").handlers = []


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_process_of_a_fork_logs_without_the_thread(build, tmp_path):
    logger, pipeline, _ = build()
    pipeline.start()
    logger.info("in the parent")
    pid = os.fork()
    if pid == 0:  # the child
        logger.info("in the child")
        stream = pipeline.transports["stream"]._stream
        (tmp_path / "child").write_text(stream.getvalue())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert "in the child" in (tmp_path / "child").read_text()
    pipeline.stop()


def test_scopes_nest(build):
    logger, _, lines = build()
    with bind_log_fields(run_id="a", agent="one"):
        with bind_log_fields(run_id="b"):
            logger.info("inner", extra={"agent": "two"})
        logger.info("outer")
    logger.info("none")
    assert [(line.get("run_id"), line.get("agent")) for line in lines()] == [
        ("b", "two"), ("a", "one"), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "transports", [{"stream": Failing()}, {"memory": Failing()}, {"file": "app.log"}, ["app.log"]]
)
def test_invalid_transports_are_refused(transports):
    with pytest.raises(ConfigError, match="transport"):
        create_logger("piped", transports=transports)


def test_lines_of_the_thread_are_final_and_in_order(build):
    logger, pipeline, lines = build()
    pipeline.start()
    names, orders = ["ann"], {"open": 1}
    with bind_log_fields(request_id="r1", orders=orders):
        logger.info("%s first", names)
    logger.info("second", extra={"names": names, "password": "x1", "n": 2})
    logger.info("third", extra={"n": 3, "api_key": "x2", "msg_": "x3"})
    logger.warning("fourth %d", 4)
    names.append("bob")
    orders["open"] = 2
    pipeline.stop()
    first, second, third, fourth = lines()
    assert (first["msg"], first["orders"]) == ("['ann'] first", {"open": 1})
    assert (second["names"], second["password"], second["n"]) == (["ann"], "****", 2)
    assert (third["n"], third["api_key"], third["msg_"]) == (3, "****", "x3")
    assert (fourth["msg"], fourth["level"]) == ("fourth 4", "warn")


def test_a_record_that_cannot_be_a_line_costs_its_own_line_only(build):
    logger, pipeline, lines = build()
    pipeline.start()
    record = {"name": "piped", "msg": "relayed", "levelno": 20, "levelname": "INFO"}
    logger.handle(logging.makeLogRecord({**record, "created": time.time() * 1000}))  # year 58,000
    deadline = time.monotonic() + 10
    while not pipeline.get_lost_counts() and time.monotonic() < deadline:
        time.sleep(0.01)
    logger.info("later")
    pipeline.stop()
    assert "later" in [line["msg"] for line in lines()]
    assert pipeline.get_lost_counts() == {"stream": 1}


def test_lines_of_the_thread_equal_lines_that_are_written_at_once(build):
    def log_lines(logger):
        logger.info("plain", extra={"n": 1, "f": 0.5, "none": None, "time": "own", "level": "own"})
        logger.error("caf\u00e9 \ud800", extra={"giant": 10**400, "flag": True})
        logger.log(25, "between")

    logger, pipeline, lines = build()
    log_lines(logger)
    pipeline.start()
    log_lines(logger)
    pipeline.stop()
    written = [{**line, "time": len(line["time"])} for line in lines()]
    assert len(written) == 6
    assert written[:3] == written[3:]


def test_a_secret_that_is_gone_is_masked_in_lines_that_wait(build):
    logger, pipeline, lines = build()
    pipeline.start()
    secret = Secret("value-of-a-moment")
    logger.info("sent %s", secret.reveal())
    del secret
    Secret("another-value")
    pipeline.stop()
    assert lines()[0]["msg"] == "sent ****"


def test_two_destinations_of_json_get_the_same_lines(build, tmp_path):
    logger, pipeline, lines = build(file=FileTransport(tmp_path / "app.log", level=logging.WARNING))
    pipeline.start()
    for number in range(100):
        logger.log(logging.WARNING if number % 2 else logging.INFO, "line", extra={"n": number})
    pipeline.stop()
    stored = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    assert [line["n"] for line in lines()] == list(range(100))
    assert stored == [line for line in lines() if line["level"] == "warn"]


def test_threads_that_log_at_once_lose_nothing(build):
    logger, pipeline, lines = build()
    pipeline.start()

    def log_lines(thread):
        for number in range(300):
            logger.info("line", extra={"thread_number": thread, "n": number})

    threads = [threading.Thread(target=log_lines, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    pipeline.stop()
    for thread in range(4):
        own = [line["n"] for line in lines() if line["thread_number"] == thread]
        assert own == list(range(300))


SIGNALS = """
import logging, signal, time
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

logger = create_logger(format="json")
pipeline = find_pipeline(logger)
pipeline.start()
handled = 0

def log_signal(*_):
    global handled
    handled += 1
    logger.info("signal")

signal.signal(signal.SIGALRM, log_signal)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
count, end = 0, time.monotonic() + 0.4
while time.monotonic() < end and count < 4000:  # more would fill the queue
    logger.info("line")
    count += 1
signal.setitimer(signal.ITIMER_REAL, 0)
pipeline.stop()
print(count + handled)
"""


def test_a_signal_handler_may_log_while_a_line_is_queued():
    done = run_script(SIGNALS)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"line", "signal"} == {line["msg"] for line in lines}
    assert len(lines) == int(done.stdout)


INTERRUPTED_WRITES = """
import os, signal, sys, threading, time
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

reader, writer = os.pipe()
os.dup2(writer, 2)
os.close(writer)
received = []

def read():
    while piece := os.read(reader, 4096):
        received.append(piece)

thread = threading.Thread(target=read)
thread.start()
logger = create_logger(format="json")
pipeline = find_pipeline(logger)
is_late = sys.argv[1] == "late"
handled = 0

def log_signal(*_):
    global handled
    handled += 1
    logger.info("signal " + "y" * 20_000)

if is_late:  # the thread has ended, and the pipeline has not forgotten it yet
    pipeline.start()
    logger.info("first")
    pipeline._writer.stop(20)
signal.signal(signal.SIGALRM, log_signal)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(200):
    logger.info("line " + "x" * 200_000)
signal.setitimer(signal.ITIMER_REAL, 0)
if is_late:
    pipeline.stop()
os.close(2)
thread.join()
print(200 + is_late + handled)
sys.stdout.write(b"".join(received).decode())
"""


@pytest.mark.parametrize("mode", ["direct", "late"])
def test_a_signal_handler_that_interrupts_a_write_logs_after_it(mode):
    count, *lines = run_script(INTERRUPTED_WRITES, mode).stdout.splitlines()
    texts = [json.loads(line)["msg"] for line in lines]
    assert len(texts) == int(count)
    assert any(text.startswith("signal") for text in texts)


STOPPED_WRITE = """
import signal, sys
from mastra_core import create_logger
from mastra_core.logs import FileTransport

logger = create_logger(format="json", transports={"file": FileTransport(sys.argv[1])})

def stop(*_):
    logger.info("stopping")
    if sys.argv[2] == "SystemExit":
        sys.exit(0)
    if sys.argv[2] == "KeyboardInterrupt":
        raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
logger.info("x" * 1_000_000)
"""


@pytest.mark.parametrize(
    ("exception", "code"), [("", 0), ("SystemExit", 0), ("KeyboardInterrupt", -signal.SIGINT)]
)
def test_the_line_of_a_signal_handler_that_may_raise_reaches_all(tmp_path, exception, code):
    """The pipe is full until the parent reads, so the signal arrives during the write."""
    path = tmp_path / "app.log"
    command = [sys.executable, "-c", STOPPED_WRITE, str(path), exception]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        start = os.read(child.stderr.fileno(), 1)
        child.send_signal(signal.SIGTERM)
        first, second = start + child.stderr.readline(), child.stderr.readline()
        child.stderr.read()
    assert child.returncode == code
    assert first.startswith(b"{") and len(first) > 1_000 and b"stopping" not in first
    assert json.loads(second)["msg"] == "stopping"
    stored = [json.loads(line)["msg"] for line in path.read_text().splitlines()]
    assert "stopping" in stored
    assert len(stored) == (1 if exception else 2)


INTERRUPTED_START = """
import threading
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

logger = create_logger(format="json")
find_pipeline(logger).start()
start_thread = threading.Thread.start

def start_and_log(thread):
    start_thread(thread)
    logger.info("signal")  # as a signal handler does that interrupts the start

threading.Thread.start = start_and_log
logger.info("line")
print([thread.name for thread in threading.enumerate()].count("mastra-logs"))
find_pipeline(logger).stop()
"""


def test_a_signal_handler_that_interrupts_the_start_makes_no_second_thread():
    """Two threads would write at once, and only one of them would be stopped."""
    done = run_script(INTERRUPTED_START)
    assert sorted(json.loads(line)["msg"] for line in done.stderr.splitlines()) == [
        "line",
        "signal",
    ]
    assert done.stdout == "1\n"


# No host has memory for such a stack, as a host has no room for a thread at its limit of processes.
NO_THREADS = """
import logging, sys, threading
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

logger = create_logger(format="json")
find_pipeline(logger).start()
threading.stack_size((1 << 48) - (1 << 20))
logger.info("at the limit")
threading.stack_size(0)
logger.info("below the limit")
print([thread.name for thread in threading.enumerate()].count("mastra-logs"))
find_pipeline(logger).stop()
"""


def test_lines_are_written_although_no_thread_can_be_started():
    """A request must not fail because its line cannot be logged."""
    done = run_script(NO_THREADS)
    lines = [json.loads(line)["msg"] for line in done.stderr.splitlines()]
    assert lines == ["at the limit", "below the limit"]
    assert done.stdout == "1\n"


AT_EXIT = """
import atexit, logging
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

logger = create_logger(format="json")
atexit.register(logger.info, "last")
find_pipeline(logger).start()
logger.info("first")
"""


def test_a_process_that_has_not_stopped_its_server_writes_its_last_lines():
    lines = run_script(AT_EXIT).stderr.splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["first", "last"]


def run_script(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("in_thread", [False, True])
def test_credentials_in_the_fields_of_a_scope_are_masked(build, in_thread):
    handler = Collector()
    logger, pipeline, lines = build(custom=handler)
    if in_thread:
        pipeline.start()
    with bind_log_fields(api_key="k-12", order={"id": 7, "token": "t-34"}, customer="ann"):
        logger.info("shipped")
    if in_thread:
        pipeline.stop()
    (line,), (record,) = lines(), handler.records
    assert (line["api_key"], line["customer"]) == ("****", "ann")
    assert line["order"] == record.order == {"id": 7, "token": "****"}
    assert record.api_key == "****"


def test_lines_of_other_threads_are_written_while_the_logger_stops(build):
    logger, pipeline, lines = build()
    counts, ends = [], threading.Event()

    def log_lines():
        number = 0
        while not ends.is_set():
            logger.info("line")
            number += 1
            time.sleep(0.0002)
        counts.append(number)

    threads = [threading.Thread(target=log_lines) for _ in range(3)]
    for each in threads:
        each.start()
    for _ in range(8):
        pipeline.start()
        time.sleep(0.02)
        pipeline.stop()
    ends.set()
    for each in threads:
        each.join()
    assert len(lines()) == sum(counts)
    assert pipeline.get_lost_counts() == {}
    assert "mastra-logs" not in [each.name for each in threading.enumerate()]


WAKEUPS = """
import signal, threading, time
from mastra_core.logs.wakeup import Wakeup

wakeup, woken = Wakeup(), 0

def wait():
    global woken
    while True:
        wakeup.wait()
        woken += 1

threading.Thread(target=wait, daemon=True).start()
signal.signal(signal.SIGALRM, lambda *_: wakeup.set())
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
end = time.monotonic() + 0.3
while time.monotonic() < end:
    wakeup.set()
signal.setitimer(signal.ITIMER_REAL, 0)
before, deadline = woken, time.monotonic() + 5
while woken == before and time.monotonic() < deadline:
    wakeup.set()
    time.sleep(0.001)
assert woken > before > 0
"""


def test_a_signal_handler_may_wake_a_thread_at_any_moment():
    run_script(WAKEUPS)


STOPPING = """
import os, threading, time
from mastra_core import create_logger
from mastra_core.logs.pipeline import find_pipeline

logger = create_logger(format="json")
pipeline = find_pipeline(logger)
pipeline.start()
is_running, counts = True, [0, 0]

def log_lines(index):
    while is_running:
        logger.info("line")
        counts[index] += 1
        time.sleep(0.0005)

threads = [threading.Thread(target=log_lines, args=(index,)) for index in range(2)]
for _ in range(4000):
    logger.info("x" * 300)
for each in threads:
    each.start()
pipeline.stop()
is_running = False
for each in threads:
    each.join()
print(4000 + sum(counts))
"""


def test_lines_of_other_threads_are_whole_while_the_logger_stops():
    done = run_script(STOPPING)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == int(done.stdout)


HTTP_SIGNALS = """
import os, signal, time
from mastra_core import create_logger
from mastra_core.logs import HttpTransport
from mastra_core.logs.pipeline import find_pipeline

transport = HttpTransport("http://127.0.0.1:9/x")
logger = create_logger(stream=False, transports={"http": transport})
find_pipeline(logger).start()
signal.signal(signal.SIGALRM, lambda *_: logger.info("signal"))
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
end = time.monotonic() + 1
while time.monotonic() < end:
    logger.info("line")
os._exit(0)
"""


def test_a_signal_handler_may_log_to_an_http_endpoint():
    run_script(HTTP_SIGNALS)


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_field_of_a_scope_that_cannot_be_text_costs_its_own_line_only(build, in_thread):
    logger, pipeline, lines = build()
    root = {"name": "root"}
    root["children"] = [{"name": "leaf", "parent": root}]
    cart = []
    if in_thread:
        pipeline.start()
    with bind_log_fields(order=root):
        logger.info("lost")
    with bind_log_fields(cart=cart):
        cart.append("tea")
        logger.info("kept")
    if in_thread:
        pipeline.stop()
    assert [(line["msg"], line["cart"]) for line in lines() if "cart" in line] == [
        ("kept", ["tea"])
    ]
    assert sum(pipeline.get_lost_counts().values()) == 1


def test_lines_with_secrets_of_their_own_are_masked(build):
    logger, pipeline, lines = build()
    pipeline.start()
    secrets = []
    for number in range(20):
        secrets.append(Secret(f"tenant-key-{number:03}"))
        logger.info("use %s", secrets[-1].reveal())
    pipeline.stop()
    assert [line["msg"] for line in lines()] == ["use ****"] * 20


class Slow(LogTransport):
    """A destination that takes longer for a write than a thread needs to log again."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def write(self, lines):
        time.sleep(0.02)
        self.lines.extend(lines)


def test_a_logger_stops_while_another_thread_logs_without_end(build):
    slow, ends, counts = Slow(), threading.Event(), [0]
    logger, pipeline, _ = build(slow=slow)

    def log_lines():
        while not ends.is_set():
            logger.info("line")
            counts[0] += 1
            time.sleep(0.005)

    pipeline.start()
    thread = threading.Thread(target=log_lines)
    thread.start()
    time.sleep(0.2)
    pipeline.stop()
    ends.set()
    thread.join()
    logger.error("after the stop")
    pipeline.start()
    logger.error("after a second start")
    pipeline.stop()
    assert len(slow.lines) == counts[0] + 2
    assert "after a second start" in slow.lines[-1]
