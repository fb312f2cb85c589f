"""Bundle applications for Workers, and run previews of them."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import run_mastra
from tests.core.storage.d1.local import WORKERD, WRANGLER, get_workerd_package
from tests.npm import ensure_installed
from tests.sample_projects import write_project

_MASTRA = str(Path(sys.executable).with_name("mastra"))
_DOWNLOAD = """
from mastra_core.pipeline import SilentReport
from mastra_deployer_cloudflare.preview.worker_process import WorkerHost

WorkerHost.find(SilentReport())
"""


def require_pyodide():
    """Download Pyodide into the cache; outside CI a test is skipped without Node or npm."""
    done = subprocess.run([sys.executable, "-c", _DOWNLOAD], capture_output=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"Pyodide is out of reach: {done.stderr.decode()[-200:]}")
    assert done.returncode == 0, done.stderr.decode()


def bundle_once(tmp_path_factory, name, files, config="", *options, **project):
    """Bundle a project once in a run of the tests, whatever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    # All workers of a run share the parent; without workers, all runs share it.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = base / f"cloudflare-{name}"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "out").exists():
            root = write_project(shared / "app", files, config, **project)
            run_mastra("bundle", "cloudflare", *options, "-o", shared / "out", cwd=root).ok()
    return shared / "out"


def link_wrangler(bundle):
    """Let a bundle's project find wrangler from npm, which has the local bindings."""
    home = ensure_installed(f"wrangler@{WRANGLER}", f"{get_workerd_package()}@{WORKERD}")
    with contextlib.suppress(FileExistsError):
        (bundle.parent / "app/node_modules").symlink_to(home / "node_modules")


class Preview:
    """A running preview: `client` sends requests, and `stop` returns what it printed."""

    def __init__(self, bundle, *options, **variables):
        command = [_MASTRA, "preview", "cloudflare", "--port", "0", "--prebuilt", str(bundle)]
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=bundle.parent / "app",
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if match := re.search(r"on (http://\S+)", line):
                break
        else:
            pytest.fail("".join(self.lines))
        self.url = match[1]
        self.client = httpx.Client(
            base_url=self.url,
            timeout=60,
            trust_env=False,
            event_hooks={"response": [self._print_server_error]},
        )
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self._reader.start()

    @property
    def output(self):
        return "".join(self.lines)

    def _print_server_error(self, response):
        """Print the log after a response of 500, so that pytest shows it if the test fails."""
        if response.is_server_error:
            time.sleep(0.2)  # the log arrives after the response
            print(self.output)

    def stop(self):
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) in (143, -9), self.output
        self._reader.join(10)
        self.process.stdout.close()
        return self.output


@contextlib.contextmanager
def run_preview(bundle, *options, **variables):
    preview = Preview(bundle, *options, **variables)
    try:
        yield preview
    finally:
        preview.stop()
