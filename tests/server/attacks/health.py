"""Watch how long a server needs to answer `/health`."""

import http.client
import threading
import time

from tests.process_usage import read_processor_seconds


class HealthWatcher:
    """Asks for `/health` all the time, and remembers the longest delay that the server causes.

    On a machine that does other work too, an answer takes longer than the server keeps it waiting.
    The processor time of the server is an upper limit of the latter.

    :param pid: the process of the server.
    :param port: its port.
    """

    def __init__(self, pid, port):
        self._pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.longest = 0.0
        self._thread.start()

    def _watch(self):
        while not self._stopped.is_set():
            self.longest = max(self.longest, self._measure())
            time.sleep(0.002)

    def _measure(self):
        started, used = time.perf_counter(), read_processor_seconds(self._pid)
        self._connection.request("GET", "/health")
        self._connection.getresponse().read()
        elapsed = time.perf_counter() - started
        return min(elapsed, read_processor_seconds(self._pid) - used)

    def stop(self):
        self._stopped.set()
        self._thread.join()
        self._connection.close()
