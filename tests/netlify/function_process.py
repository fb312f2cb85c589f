"""Unpack the zip of a function, and run it in the preview's stand-in for AWS Lambda."""

import contextlib
import json
import os
import re
import subprocess
import time
import zipfile
from pathlib import Path

import httpx

from mastra_deployer_netlify.preview.function_instance import build_node_command
from tests.node import find_node

CLIENT = "203.0.113.7"


def unpack_without_modes(archive, directory):
    """Unpack a zip as a platform without modes does."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(directory)
    for path in directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return directory


def find_foreign_files(maps, directory):
    """Return the files of the host that a process has loaded, apart from data of locales."""
    files = set(re.findall(r"(/\S+)$", maps, re.MULTILINE))
    allowed = ("/locale/", "/gconv/")
    return [
        path
        for path in files
        if not path.startswith(str(directory)) and not any(part in path for part in allowed)
    ]


def check_children(results, directory):
    """Check what the path `/children` of `function_app.py` has returned."""
    executable, _, greeting = results["code"].partition(" ")
    assert greeting == "hello from a child", results["code"]
    assert Path(executable).name == "python"
    for name in ("isolated", "bare"):
        assert results[name] == results["code"]
    for name in ("module", "by name", "spawned"):
        assert results[name] == "hello from a child", name
    for name in ("script", "dependency"):
        assert results[name].startswith("Running uvicorn"), name
    assert find_foreign_files(results["maps"], directory) == []


def is_running(process):
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_ended(*processes):
    deadline = time.monotonic() + 10
    while alive := [process for process in processes if is_running(process)]:
        assert time.monotonic() < deadline, f"{alive} are left behind"
        time.sleep(0.02)


def wait_for_port(file, process):
    """Return the port that an instance has written to a file, which is removed."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None and time.monotonic() < deadline, "the function does not start"
        time.sleep(0.01)
    port = file.read_text()
    file.unlink()
    return port


class FunctionInstance:
    """A running instance: `client` sends requests, `log` is a file, `temporary` is its `/tmp`."""

    def __init__(self, directory, temporary, environment, settings):
        self.temporary, self.log = temporary, temporary.with_name(f"{temporary.name}.log")
        self.event_file = temporary.with_name(f"{temporary.name}.json")
        temporary.mkdir()
        self.set_event()
        port_file = temporary.with_name(f"{temporary.name}.port")
        options = {"scheme": "https", "client": CLIENT, "eventFile": str(self.event_file)}
        command = build_node_command(find_node(), directory, port_file, **{**options, **settings})
        variables = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), **environment}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        self.client = httpx.Client(trust_env=False, timeout=30)
        self.client.base_url = f"http://127.0.0.1:{wait_for_port(port_file, self.process)}"

    def set_event(self, **fields):
        """Set fields of the events of the next requests."""
        self.event_file.write_text(json.dumps(fields))

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def run_function(directory, temporary, environment=None, **settings):
    """Run an instance of an unpacked function within the block."""
    instance = FunctionInstance(Path(directory), temporary, environment or {}, settings)
    try:
        yield instance
    finally:
        instance.stop()
