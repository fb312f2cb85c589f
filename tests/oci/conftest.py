"""Registries on the loopback, and the bundle that most tests deploy."""

from __future__ import annotations

import pytest

from tests.oci.registries import Proxy, Registry
from tests.sample_projects import ECHO, write_project

INDEX = "src/mastra/index.py"


@pytest.fixture
def start_registry(tmp_path):
    """Start a registry: `start_registry(auth="...")`."""
    running = []

    def start(**options):
        directory = tmp_path / f"registry{len(running)}"
        directory.mkdir()
        registries.append(Registry(directory, **options))
        return registries[-1].start()

    yield start
    for registry in running:
        registry.kill()


@pytest.fixture
def registry(start_registry):
    return start_registry()


@pytest.fixture
def proxy(registry):
    """A proxy in front of the registry, which records the requests."""
    proxy = Proxy(registry)
    yield proxy
    proxy.stop()


@pytest.fixture
def oci(mastra, tmp_path):
    """`oci(host)` returns a function that runs `mastra` for an image in the registry at `host`."""
    login = tmp_path / "docker"
    login.mkdir()

    def create_runner(host, *settings, base="scratch+python", **known):
        fixed = [f"-simage={host}/team/app", f"-sbase={base}", *settings]

        def run(verb, *arguments, cwd=None, **environment):
            values = {"DOCKER_CONFIG": str(login), **known, **environment}
            # A command that takes a deployment id takes the target as an option.
            target = ["--target", "oci"] if verb in ("promote", "rollback") else ["oci"]
            return mastra(verb, *target, *options, *arguments, cwd=cwd or tmp_path, **values)

        return run

    return create_runner


@pytest.fixture(scope="session")
def bundle(mastra, tmp_path_factory):
    """The bundle of an app with its own Python, inside the app's project."""
    root = write_project(tmp_path_factory.mktemp("bundle") / "app", {INDEX: ECHO})
    out = root / "out"
    settings = ["-simage=registry.example/team/app", "-sbase=scratch+python"]
    mastra("bundle", "oci", *settings, "-o", out, cwd=root).ok()
    return out
