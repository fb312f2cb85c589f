"""Watch how long a server needs to answer `/health`."""

import http.client
import threading
import time


class HealthWatcher:
    """Asks for `/health` all the time, and remembers the longest delay."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.longest = 0.0
        self._thread.start()

    def _watch(self):
        while not self._stopped.is_set():
            started = time.perf_counter()
            self._connection.request("GET", "/health")
            self._connection.getresponse().read()
            self.longest = max(self.longest, time.perf_counter() - started)
            time.sleep(0.002)

    def stop(self):
        self._stopped.set()
        self._thread.join()
        self._connection.close()
