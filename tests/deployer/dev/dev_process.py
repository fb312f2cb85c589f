"""Runs `mastra dev` in a process, and reads its output."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

MASTRA = str(Path(sys.executable).with_name("mastra"))
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-mode": "navigate"}
TIMEOUT = 30


class Dev:
    """A running command, with its output and its URL."""

    def __init__(self, root, *arguments, **environment):
        base = {name: value for name, value in os.environ.items() if name not in ("PORT", "HOST")}
        self.root = root
        self.process = subprocess.Popen(
            [MASTRA, "dev", *map(str, arguments)],
            cwd=root,
            env={**base, **environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self.news = threading.Condition()
        self.read = 0
        self.readers = [
            threading.Thread(target=self._listen, args=(stream,), daemon=True)
            for stream in (self.process.stderr, self.process.stdout)
        ]
        for reader in self.readers:
            reader.start()

    def _listen(self, stream):
        for line in stream:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    @property
    def text(self):
        return "\n".join(self.lines)

    def wait_for_line(self, pattern):
        """Return the match in the next line that matches, after the last match."""
        end = time.monotonic() + TIMEOUT
        with self.news:
            while True:
                for number in range(self.read, len(self.lines)):
                    if found := re.search(pattern, self.lines[number]):
                        self.read = number + 1
                        return found
                left = end - time.monotonic()
                assert left > 0 and self.process.poll() is None, (
                    f"no line matches {pattern!r}:\n{self.text}"
                )
                self.news.wait(min(left, 0.5))

    def wait_until_ready(self):
        self.wait_for_line("is ready in")
        self.url = self.wait_for_line(r"^  (http://\S+)")[1]
        return self

    def get(self, path="/", **options):
        return httpx.get(self.url + path, trust_env=False, timeout=TIMEOUT, **options)

    def browse(self, path="/"):
        return self.get(path, headers=BROWSER)

    def ask(self, text="x"):
        """Send a message to the agent `echo`."""
        path = f"{self.url}/api/agents/echo/generate"
        return httpx.post(path, json={"messages": text}, trust_env=False, timeout=TIMEOUT)

    def save(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def children(self):
        done = subprocess.run(
            ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        return [pid for pid, parent in pairs if parent == self.process.pid]

    def wait_for_exit(self):
        """Return the exit code of a command that ends by itself."""
        self.process.wait(TIMEOUT)
        return self.stop()

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not end:\n{self.text}") from None
        for reader in self.readers:
            reader.join(10)
            assert not reader.is_alive(), f"a process that it started is running:\n{self.text}"
        self.process.stderr.close()
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def run_dev(root, *arguments, **environment):
    """Run `mastra dev` in a project on a free port."""
    port = () if "--port" in arguments or "PORT" in environment else ("--port", "0")
    dev = Dev(root, *port, *arguments, **environment)
    try:
        yield dev
    finally:
        assert dev.stop() == 0, dev.text


def wait_until_gone(pid):
    """Wait until a process has ended, and return whether it has."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False
