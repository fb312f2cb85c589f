"""`mastra studio`: the original's own page, in a real browser, on a server of ours."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.deployer.dev.dev_process import run_dev
from tests.deployer.studio.chromium import find_chromium
from tests.node import install_packages, run_script
from tests.sample_projects import write_project
from tests.scripted_server import serve

MASTRA = str(Path(sys.executable).with_name("mastra"))
APP = """\
import asyncio
from dataclasses import dataclass

from mastra_core import Mastra, Memory, Workflow, step
from mastra_server import ApiKeys

@dataclass
class Number:
    n: int

@step
async def double(value: Number) -> Number:
    return Number(value.n * 2)

@step
async def inc(value: Number) -> Number:
    return Number(value.n + 1)

async def storyteller(text: str):
    for word in ("once ", "there ", "was ", "a "):
        yield word
        await asyncio.sleep(0.4)
    yield f"{text}."

async def shelf(text: str) -> str:
    return text

mastra = Mastra(
    agents={"storyteller": storyteller, "shelf": shelf},
    workflows={"sums": Workflow("sums").then(double).then(inc)},
    memory=Memory(),
    server={"auth": ApiKeys({"ada": "key-of-ada"})},  # Studio needs no key during development
)
"""


@contextlib.contextmanager
def run_studio(*arguments, environment=None):
    """The command; gives the address of its page."""
    process = subprocess.Popen(
        [MASTRA, "studio", *arguments, "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = json.loads(process.stdout.readline())
        assert told["ok"], told
        yield told["url"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        process.stdout.close()


def run_scenario(page, server, screenshots):
    """What the browser saw of the page."""
    home = install_packages("playwright-core@1.65.1")
    script = Path(__file__).with_name("studio.mjs")
    return run_script(script, home, find_chromium(), page, server, screenshots, seconds=180)


@pytest.mark.full  # test_sign_in walks through the same pages
@pytest.mark.slow
def test_agents_and_workflows_run_in_a_browser(tmp_path):
    find_chromium()  # before anything is started
    root = write_project(tmp_path / "app", {"src/mastra/__init__.py": APP})
    with run_dev(root) as dev:
        command = dev.wait_until_ready().wait_for_line("^  or in a browser: mastra studio (.*)")[1]
        with run_studio(*shlex.split(command), "--port", "0") as page:
            seen = run_scenario(page, dev.url, tmp_path)
    assert seen["errors"] == []
    assert seen["midway"] == 0, "the chat waited for the whole answer"
    assert (seen["questions"], seen["answers"]) == (1, 1)
    assert seen["thread"], "the chat is not kept"
    assert seen["result"] == {"n": 11}
    assert "storyteller" in seen["traces"]
    assert '"n": 10' in seen["span"], "what the step gave is not shown"
    for name in ("chat.png", "workflow.png", "traces.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def registry():
    """A registry that gives something else under every name."""
    with serve(lambda _: (200, {}, b"evil")) as server:
        yield server.url


def test_a_changed_package_is_rejected(mastra, tmp_path, registry):
    places = {"MASTRA_CACHE_DIR": str(tmp_path), "NPM_CONFIG_REGISTRY": registry}
    mastra("studio", **places).failed(6, "a mastra 1.31.0 that differs from the published version")
    assert not list((tmp_path / "npm").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://x"], "'ftp://x' is not the address of a server"),
        (["http://h:p"], "'http://h:p' is not the address of a server"),
        (["http://u:p@h"], "is not the address of a server"),
        (["http://h/x"], "is not the address of a server"),
        (["http://a'b"], "is not the address of a server"),
        (["--api-prefix", "/a';alert(1)//"], "is not a path"),
        (["--port", "65536"], "65536"),
    ],
)
def test_invalid_server_addresses_are_rejected(mastra, arguments, message):
    mastra("studio", *arguments).failed(2, message)


@pytest.mark.parametrize("address", ["http://registry.example", "registry", "file:///etc"])
def test_invalid_registries_are_rejected(mastra, tmp_path, address):
    places = {"MASTRA_CACHE_DIR": str(tmp_path), "NPM_CONFIG_REGISTRY": address}
    mastra("studio", **places).failed(2, f"NPM_CONFIG_REGISTRY is '{address}'")


@pytest.mark.slow
def test_the_page_has_the_server_address_and_the_files_are_served():
    server = ("https://app.example.com", "--api-prefix", "/v1", "--port", "0")
    with run_studio(*server) as address, httpx.Client(base_url=address, trust_env=False) as page:
        text = page.get("/agents/some.name/chat").text
        assert "%%" not in text
        for told in ("HOST = 'app.example.com'", "PORT = '443'", "PROTOCOL = 'https'"):
            assert f"MASTRA_SERVER_{told}" in text
        assert "MASTRA_API_PREFIX = '/v1'" in text
        script = text.partition('crossorigin src=".')[2].partition('"')[0]
        assert page.get(script).headers["content-type"] == "text/javascript"
        assert page.get("/index.html").text == text
        assert page.get("/refresh-events").status_code == 204
        assert page.get("/assets/").status_code == 404
        assert page.get("/assets/../../x.svg").status_code == 404


@pytest.mark.slow
def test_studio_is_downloaded_once(tmp_path):
    elsewhere = {**os.environ, "MASTRA_CACHE_DIR": str(tmp_path)}
    with run_studio("--port", "0", environment=elsewhere):
        (kept,) = (tmp_path / "npm").iterdir()
    assert (kept / "index.html").exists()
    assert not [each for each in kept.rglob("*") if each.is_dir() and each.name != "assets"]
    nowhere = {**elsewhere, "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9"}
    with run_studio("--port", "0", environment=nowhere) as address:
        assert httpx.get(address, trust_env=False).status_code == 200


@pytest.mark.slow
def test_foreign_pages_and_hosts_are_refused():
    foreign = (
        {"host": "attacker.example"},
        {"origin": "https://attacker.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    )
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    local = (
        {},
        {"origin": "http://127.0.0.1:4000"},
        {"host": "localhost:4000"},
        {"host": "studio.example", "origin": "https://studio.example"},
        {**link, "sec-fetch-dest": "document"},
    )
    command = ("--port", "0", "--allow-host", "studio.example")
    with run_studio(*command) as address, httpx.Client(base_url=address, trust_env=False) as page:
        for path in ("/", "/index.html", "/refresh-events", "/assets/x.js"):
            for headers in foreign:
                answer = page.get(path, headers=headers)
                assert answer.status_code == 403, (path, headers)
                assert "mastra studio --allow-host" in answer.text
                assert page.head(path, headers=headers).status_code == 403
                assert page.post(path, headers=headers).status_code == 403
        for headers in local:
            assert page.get("/", headers=headers).status_code == 200, headers
