"""What tests of the whole line share: the command as a user runs it, and served bundles."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.sample_projects import ECHO, write_project

_SERVING = re.compile(r"Serving .* on http://\S+:(\d+)")


class Result:
    """A finished `mastra` command."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def ok(self):
        assert self.code == 0, self.err
        return self

    def failed(self, code, *words):
        """It failed with that exit code and those words, and without a traceback."""
        assert self.code == code, (self.code, self.out, self.err)
        for word in words:
            assert word in self.err, self.err
        assert "Traceback" not in self.err
        hints = [line for line in self.err.splitlines() if line.startswith("  ")]
        assert hints, f"an error without a hint: {self.err}"
        return self


def run_mastra(*arguments, cwd=".", timeout=180, **environment):
    command = [str(Path(sys.executable).with_name("mastra")), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done)


# The longest first: a file stays in one process, and one that begins last is waited for alone.
LONGEST = (
    "vercel/deploy",
    "server/http/test_fuzz",
    "oci/deploy/test_outages",
    "oci/",
    "vercel/",
    "deployer/bundler/test_projects",
    "deployer/bundler/test_incremental",
    "deployer/bundler/test_",
    "deployer/dev",
    "deployer/pipeline/test_third_party",
    "deployer/bundler/locks",
)


def pytest_collection_modifyitems(items):
    """Begin with what takes longest."""

    def rank(item):
        place = item.path.as_posix()
        return next((n for n, name in enumerate(LONGEST) if name in place), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def mastra():
    """Run `mastra ARGUMENTS` as a user does."""
    return run_mastra


@pytest.fixture
def project(tmp_path):
    """Make a project: `project({"src/mastra/index.py": "..."})` gives its directory."""

    def make(files, config="", **options):
        return write_project(tmp_path / "app", files, config, **options)

    return make


@pytest.fixture
def echo():
    """The source of the smallest application."""
    return ECHO


@contextlib.contextmanager
def serve_bundle(directory, python=sys.executable, **environment):
    """Serve a bundle by a Python with nothing of ours around; gives an HTTP client for it."""
    base = {"PATH": os.environ["PATH"], "PORT": "0", "HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [python, str(Path(directory) / "index.py")],
        env={**base, **environment},
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    heard = []
    reader = threading.Thread(target=lambda: heard.extend(process.stderr))
    try:
        for line in process.stderr:
            heard.append(line)
            if found := _SERVING.search(line):
                break
        else:
            pytest.fail(f"the bundle does not serve: {''.join(heard)}")
        reader.start()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{found[1]}", timeout=30, trust_env=False
        ) as client:
            client.log = heard
            yield client
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        if reader.is_alive():
            reader.join(10)
        process.stderr.close()
        assert code == 0, "".join(heard)


@pytest.fixture(scope="session")
def serve_directory():
    """Serve a bundle: `with serve_directory(path) as client`."""
    return serve_bundle


def bare_python(version):
    """A Python of that version with none of our packages; CI has to have them all."""
    from mastra_deployer.project.interpreters import probe, target_interpreter

    found = target_interpreter(version, probe(sys.executable))
    if found is None:
        message = f"there is no Python {version} on this machine"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found.path


@pytest.fixture(scope="session")
def python_of():
    """`python_of("3.12")` gives the path of such an interpreter."""
    return bare_python
