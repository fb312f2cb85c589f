"""The import of a bundle in Pyodide: what a Worker's start would refuse, with file and line."""

import shutil

import pytest

from mastra_core.pipeline import Bundle, BundleManifest, SilentReport
from mastra_deployer_cloudflare.preview.import_check import verify_bundle

pytestmark = pytest.mark.slow

_MANIFEST = BundleManifest(app="a:b", paths=(), python="3.14", wheels="any", entry="a:b")


@pytest.fixture
def verify(worker_bundle, tmp_path):
    """Verify the bundle with further code at the end of the app's module."""

    def verify_with(code):
        directory = tmp_path / "bundle"
        shutil.copytree(worker_bundle, directory)
        module = directory / "modules/app/main.py"
        lines = module.read_text().count("\n")
        module.write_text(f"{module.read_text()}{code}\n")
        problems = verify_bundle(Bundle(directory=directory, manifest=_MANIFEST), SilentReport())
        return [problem for problem in problems if problem.severity == "error"], lines

    return verify_with


_REFUSED = {
    "import uuid; ID = uuid.uuid4()": ("Randomness is not allowed", "request"),
    "ID = os.environ['NOWHERE_SET']": ("KeyError: 'NOWHERE_SET'", "Variables have no value"),
}


@pytest.mark.parametrize("code", _REFUSED)
def test_what_a_start_refuses_is_found_with_its_place(verify, code):
    (problem,), lines = verify(code)
    message, hint = _REFUSED[code]
    assert problem.where == f"main.py:{lines + 1}"
    assert message in problem.message and hint in problem.hint


@pytest.mark.full
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import random; random.random()", "Cannot use random.random()"),
        ("import secrets; secrets.token_hex()", "Randomness is not allowed"),
        ("import threading; threading.Thread(target=print).start()", "can't start new thread"),
        ("import nowhere", "No module named 'nowhere'"),
        ("import js; js.fetch('https://a.example')", "fetch is not allowed during the import"),
        (
            "import asyncio; asyncio.get_event_loop().call_later(1, print)",
            "setTimeout is not allowed during the import",
        ),
    ],
)
def test_other_causes_are_found_too(verify, code, message):
    (problem,), lines = verify(code)
    assert problem.where == f"main.py:{lines + 1}"
    assert message in problem.message


def test_what_a_start_allows_is_no_problem(verify):
    code = "import multiprocessing.process, random, tempfile; random.Random(7).random()\n"
    problems, _ = verify(code + "VALUE = tempfile.mkdtemp()")
    assert problems == []


def test_the_clock_begins_in_1970(verify):
    problems, _ = verify("import time; assert time.time() < 3600")
    assert problems == []


def test_a_machine_without_node_gets_a_note(worker_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bundle = Bundle(directory=worker_bundle, manifest=_MANIFEST)
    (problem,) = verify_bundle(bundle, SilentReport())
    assert problem.severity == "note"
    assert "does not have Node 24" in problem.message
    assert "mastra-deployer[preview]" in problem.hint
