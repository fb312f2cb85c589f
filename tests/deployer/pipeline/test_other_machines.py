"""What each command does on a machine that no target fits: emulated by what its Python says."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Result
from tests.emulated_python import create_mac_python, share_packages
from tests.sample_projects import write_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="emulates other systems on Linux"),
]
ASGI = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
LINUX = "x86_64-manylinux_2_28"
IMAGE = ("-s", "image=localhost:1/site")
SITE = ("-s", "project_name=site")
REFUSAL = f"The bundle is for {LINUX}, and this machine is aarch64-apple-darwin"


class Machine:
    """A machine whose only Pythons are emulated."""

    def __init__(self, directory, create, versions):
        self.python = create(directory / "python")
        share_packages(self.python)
        for version, python in versions.items():
            create(directory / f"pyenv/versions/{version}.0", python=python)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            "PYENV_ROOT": str(directory / "pyenv"),
            "XDG_DATA_HOME": str(directory / "data"),
            "UV_PYTHON_DOWNLOADS": "never",
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
        }

    def start(self, *arguments, cwd, **options):
        code = "from mastra_deployer.cli.main import main; main()"
        command = [self.python, "-c", code, *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=cwd, env=self.environment, text=True, stderr=subprocess.PIPE, **options
        )

    def run(self, *arguments, cwd):
        process = self.start(*arguments, cwd=cwd, stdout=subprocess.PIPE)
        process.args, (out, err) = arguments, process.communicate(timeout=120)
        return Result(subprocess.CompletedProcess(arguments, process.returncode, out, err))


@pytest.fixture(scope="module")
def mac(tmp_path_factory, find_python):
    directory = tmp_path_factory.mktemp("mac")
    return Machine(directory, create_mac_python, {"3.12": find_python("3.12")})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project with an ASGI app and without dependencies."""
    config = '[tool.mastra]\nentry = "main:app"\n'
    root = tmp_path_factory.mktemp("site") / "app"
    return write_project(root, {"main.py": ASGI}, config, dependencies=())


def read_manifest(directory):
    return json.loads((Path(directory) / "mastra-bundle.json").read_text("utf-8"))


def test_build_on_a_mac_is_for_that_mac(mac, site, mastra):
    mac.run("build", cwd=site).ok()
    manifest = read_manifest(site / ".mastra")
    assert (manifest["wheels"], manifest["pure"]) == ("aarch64-apple-darwin", False)
    done = subprocess.run(
        [mac.python, ".mastra/index.py", "--check"], cwd=site, capture_output=True, check=False
    )
    assert json.loads(done.stdout)["ok"], done.stderr
    mastra("start", cwd=site).failed(2, "built for aarch64-apple-darwin", "Build it on this")


def test_new_project_on_a_mac(mac, tmp_path):
    mac.run("new", "shop", cwd=tmp_path).ok()
    assert (tmp_path / "shop/src/mastra/index.py").is_file()


@pytest.mark.parametrize("arguments", [(), ("vercel", *SITE)], ids=["own", "vercel"])
def test_check_on_a_mac(mac, site, arguments):
    done = mac.run("check", *arguments, cwd=site).ok()
    assert "ready" in done.out


def test_bundles_for_linux_are_made_on_a_mac(mac, site):
    done = mac.run("build", "--platform", LINUX, cwd=site).ok()
    assert "this machine is aarch64-apple-darwin. Therefore the app was not started" in done.err
    assert read_manifest(site / ".mastra")["wheels"] == LINUX
    assert list((site / ".mastra/vendor").rglob("*x86_64-linux-gnu.so"))
    for target, settings in (("vercel", SITE), ("oci", (*IMAGE, "-s", "base=python:3.11-slim"))):
        mac.run("bundle", target, *settings, cwd=site).ok()
        assert read_manifest(site / ".mastra-local/bundles" / target)["wheels"] == LINUX
    prebuilt = site / ".mastra-local/bundles/oci"
    mac.run("preview", "oci", *IMAGE, "--prebuilt", prebuilt, cwd=site).failed(2, REFUSAL)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("bundle", "oci", *IMAGE, "-s", "base=scratch"),
            4,
            ["base='scratch' is an empty image without a Python", "base=scratch+python"],
        ),
        (
            ("bundle", "oci", *IMAGE, "-s", "base=scratch+python"),
            5,
            ["for Linux on x86_64, which was not found", "-s base="],
        ),
        (
            ("preview", "oci", *IMAGE),
            2,
            [REFUSAL, "`mastra start`"],
        ),
        (
            ("preview", "netlify", *SITE),
            2,
            [REFUSAL, "`mastra start`"],
        ),
        (
            ("preview", "vercel", *SITE, "--platform", LINUX),
            2,
            [REFUSAL, "`mastra start`"],
        ),
    ],
)
def test_what_a_mac_cannot_do_is_refused(mac, site, arguments, code, words):
    done = mac.run(*arguments, cwd=site).failed(code, *words)
    if arguments[0] == "preview":
        assert "Installing dependencies" not in done.err, "it is refused before the build"


def test_preview_on_a_mac_has_the_packages_for_that_mac(mac, site):
    process = mac.start("preview", "vercel", *SITE, "--port", "0", cwd=site)
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"on (http://\S+)", line):
                break
        else:
            pytest.fail("".join(lines))
        assert httpx.get(match[1], trust_env=False).text == "hello"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert "note: The preview has the packages for this machine (aarch64-apple-darwin)" in "".join(
        lines
    )
    assert read_manifest(site / ".mastra-local/previews/vercel")["wheels"].endswith("darwin")
