"""Unpack the zip of a function, and run it in a warm stand-in for AWS Lambda."""

import contextlib
import os
import subprocess
import zipfile
from pathlib import Path

import httpx

from tests.node import find_node

STAND_IN = Path(__file__).with_name("lambda_stand_in.mjs")


def unpack_function(archive, directory, *, keep_modes=True):
    """Unpack a zip, with its modes or as a platform without modes does."""
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            path = Path(file.extract(info, directory))
            path.chmod(info.external_attr >> 16 & 0o777 if keep_modes else 0o644)
    return directory


def get_log(directory):
    """Return the file with the output of a function."""
    return directory.parent / f"{directory.name}-tmp/log"


@contextlib.contextmanager
def run_function(directory, **environment):
    """Run an instance of an unpacked function, and yield an HTTP client for it."""
    log_file = get_log(directory)
    log_file.parent.mkdir()
    variables = {"PATH": os.environ["PATH"], "TMPDIR": str(log_file.parent), **environment}
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            [find_node(), str(STAND_IN), str(directory)],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
        httpx.Client(trust_env=False, timeout=30) as client,
    ):
        try:
            port = process.stdout.readline().decode().strip()
            assert port, log_file.read_text()
            client.base_url = f"http://127.0.0.1:{port}"
            yield client
        finally:
            process.kill()
