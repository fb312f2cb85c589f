"""Send log lines to an HTTP endpoint, in batches."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count
from mastra_core.errors import ConfigError
from mastra_core.logs.bounded_queue import BoundedQueue
from mastra_core.logs.http_url import parse_http_url
from mastra_core.logs.transport import LogTransport
from mastra_core.logs.wakeup import Wakeup
from mastra_core.redaction import safe_message
from mastra_core.secret import Secret, reveal_all

if TYPE_CHECKING:
    from http.client import HTTPConnection

__all__ = ("HttpTransport",)

_RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504))
_MAX_DELAY = 30.0  # seconds between two tries
_MAX_TRIES = 5
_CLOSE_TIMEOUT = 2.0  # seconds


class HttpTransport(LogTransport):
    """Sends lines as ``{"logs": [{...}, ...]}``, as the transport of Mastra for TypeScript does.

    A batch is sent when it is full, and otherwise after an interval. After a response with 408,
    425, 429, 500, 502, 503 or 504, the batch is sent again. A line is lost if the waiting lines
    exceed ``max_bytes``, or if five attempts to send it fail.

    :param url: the address to which the lines are sent.
    :param method: method of the request.
    :param headers: headers of the request; a value may be a ``Secret``.
    :param batch_size: maximum number of log lines in one request.
    :param flush_interval: seconds after which a smaller batch is sent.
    :param timeout: the time limit of each attempt, in seconds.
    :param max_bytes: maximum size of the lines that wait.
    :param level: records below this level of ``logging`` are not sent.
    :raises ConfigError: for a URL that is not ``http`` or ``https`` or has a password, for a number
        that is not greater than 0, and for an argument of the wrong type.
    """

    is_blocking: ClassVar[bool] = False
    may_log: ClassVar[bool] = False

    def __init__(
        self,
        url: str,
        *,
        method: str = "POST",
        headers: Mapping[str, str | Secret] | None = None,
        batch_size: int = 100,
        flush_interval: float = 10,
        timeout: float = 30,
        max_bytes: int = 4 * 1024 * 1024,
        level: int = 0,
    ) -> None:
        super().__init__()
        self._url = parse_http_url(url, "HttpTransport")
        if "@" in self._url.netloc:
            raise ConfigError(
                "HttpTransport does not send the user or password in its URL.",
                "Remove the user and the password from the URL, and pass "
                'headers={"authorization": Secret.env(...)}.',
            )
        check_types(locals(), HttpTransport.__init__.__annotations__)
        check_count("batch_size", batch_size, least=1)
        check_count("max_bytes", max_bytes, least=1)
        _check_positive(flush_interval=flush_interval, timeout=timeout)
        self._method = method
        self._headers = dict(headers or {})
        self._batch_size = batch_size
        self._flush_interval = flush_interval
        self._timeout = timeout
        self.level = level
        self._queue: BoundedQueue[str] = BoundedQueue(max_bytes)
        self._max_bytes = max_bytes
        self._sender: _Sender | None = None
        self._process = os.getpid()
        self._close_by = 0.0  # on the monotonic clock; set when the logger stops

    def write(self, lines: Sequence[str]) -> None:
        """Queue lines; the thread of the transport sends them.

        :param lines: the lines.
        """
        if self._process != os.getpid():  # after a fork, the parent sends the waiting lines
            self._process, self._sender = os.getpid(), None
            self._queue = BoundedQueue(self._max_bytes)
        refused = sum(not self._queue.put(line, len(line)) for line in lines)
        if refused:
            self.report_loss(refused, "more lines were logged than could be sent")
        if self._sender is None or not self._sender.is_alive():
            self._start_sender()
        if self._sender is not None and len(self._queue) >= self._batch_size:
            self._sender.wakeup.set()

    def begin_close(self, close_by: float) -> None:
        """Send the waiting lines now, without retries.

        :param close_by: the time of the monotonic clock at which ``close`` gives up.
        """
        self._close_by = self._close_by or close_by
        if self._sender is not None:
            self._sender.stop()

    def close(self) -> None:
        """Send the lines that wait, for at most two seconds."""
        self.begin_close(time.monotonic() + _CLOSE_TIMEOUT)
        sender, self._sender = self._sender, None
        close_by, self._close_by = self._close_by, 0.0
        if self._process != os.getpid():
            return
        sending = 0
        if sender is not None:
            sender.join(max(0.0, close_by - time.monotonic()))
            sending = sender.abandon()
        if waiting := sending + len(self._queue.take()):
            self.report_loss(waiting, f"{self._url.hostname} did not accept them before the end")

    def _start_sender(self) -> None:
        sender = _Sender(self)
        with contextlib.suppress(RuntimeError):  # no further thread: the next line tries again
            sender.start()
            self._sender = sender

    def wait_for_batch(self, sender: _Sender) -> list[str]:
        """Return the next lines to send, when a batch is full or its interval is over.

        :param sender: the thread that waits.
        """
        if len(self._queue) < self._batch_size and not sender.is_stopping:
            sender.wakeup.wait(self._flush_interval)
        return self._queue.take(self._batch_size)

    def post(self, body: bytes) -> tuple[int, float]:
        """Send one batch; return the status, and the delay that the endpoint asks for.

        :param body: the JSON document.
        :raises OSError: when there is no connection.
        """
        from http.client import HTTPException

        connection = self._connect()
        try:
            connection.request(self._method, self._get_target(), body, self._build_headers())
            response = connection.getresponse()
            return response.status, _parse_delay(response.getheader("retry-after", ""))
        except HTTPException as error:
            raise OSError(f"the response of {self._url.hostname} is not HTTP") from error
        finally:
            connection.close()

    def _connect(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self._timeout)

    def _get_target(self) -> str:
        query = f"?{self._url.query}" if self._url.query else ""
        return (self._url.path or "/") + query

    def _build_headers(self) -> dict[str, str]:
        return {"content-type": "application/json", **reveal_all(self._headers)}


class _Sender(threading.Thread):
    """The thread that sends the lines of one transport."""

    def __init__(self, transport: HttpTransport) -> None:
        super().__init__(name="mastra-logs-http", daemon=True)
        self._transport = transport
        self._stopping = threading.Event()
        self.wakeup = Wakeup()  # an Event would hang in a signal handler
        self._lock = threading.Lock()
        self._sending = 0  # number of lines in the present request

    @property
    def is_stopping(self) -> bool:
        """Whether the thread ends as soon as it has sent all lines."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Let the thread send the waiting lines, and then end."""
        self._stopping.set()
        self.wakeup.set()

    def abandon(self) -> int:
        """Count the lines that are being sent as lost from now on, and return their number."""
        with self._lock:
            count, self._sending = self._sending, 0
        return count

    def run(self) -> None:
        """Send batches until the transport is closed."""
        while True:
            is_last = self.is_stopping
            lines = self._transport.wait_for_batch(self)
            if lines:
                self._sending = len(lines)
                body = f'{{"logs":[{",".join(lines)}]}}'
                reason = self._send(body.encode(errors="backslashreplace"))
                lost = self.abandon()  # 0 if close has counted them in the meantime
                if reason and lost:
                    self._transport.report_loss(lost, reason)
            elif is_last:
                return

    def _send(self, body: bytes) -> str:
        """Send one batch, and retry; return why it failed, or an empty text."""
        reason = ""
        for number in range(_MAX_TRIES):
            try:
                status, delay = self._transport.post(body)
            except Exception as error:  # noqa: BLE001  # also a Secret without its variable
                status, delay, reason = 0, 0.0, safe_message(error)
            else:
                if status < HTTPStatus.MULTIPLE_CHOICES:
                    return ""
                reason = f"the endpoint answered with the status {status}"
                if status not in _RETRIED:
                    return reason
            if number == _MAX_TRIES - 1 or self._stopping.wait(delay or min(2**number, _MAX_DELAY)):
                break
        return reason


def _parse_delay(text: str) -> float:
    """Return the seconds that a ``retry-after`` header names; 0 if it is empty or a date."""
    return min(float(text), _MAX_DELAY) if text.isascii() and text.isdigit() else 0.0


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(
                f"The value {name}={value!r} of HttpTransport is not greater than 0.",
                "Use a number greater than 0. With batch_size=1, each line is sent at once.",
            )
