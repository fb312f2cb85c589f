"""Registries on loopback, and one bundle that many tests deploy."""

from __future__ import annotations

import pytest

from tests.oci.registries import Proxy, Registry
from tests.sample_projects import ECHO, write_project

INDEX = "src/mastra/index.py"


@pytest.fixture
def start(tmp_path):
    """Start a registry: `start(auth="...")`."""
    registries = []

    def start_registry(**options):
        directory = tmp_path / f"registry{len(registries)}"
        directory.mkdir()
        registries.append(Registry(directory, **options))
        return registries[-1].start()

    yield start_registry
    for registry in registries:
        registry.kill()


@pytest.fixture
def registry(start):
    return start()


@pytest.fixture
def proxy(registry):
    """A recording proxy in front of the registry, which tests deploy to."""
    server = Proxy(registry)
    yield server
    server.stop()


@pytest.fixture
def oci(mastra, tmp_path):
    """`oci(host)` returns a function that runs `mastra` for an image at that registry."""
    login = tmp_path / "docker"
    login.mkdir()

    def make_runner(host, *settings, base="scratch+python", **variables):
        options = [f"-simage={host}/team/app", f"-sbase={base}", *settings]

        def run(verb, *arguments, cwd=None, **environment):
            values = {"DOCKER_CONFIG": str(login), **variables, **environment}
            # Commands that take an id have the target as an option.
            target = ["--target", "oci"] if verb in ("promote", "rollback") else ["oci"]
            return mastra(verb, *target, *options, *arguments, cwd=cwd or tmp_path, **values)

        return run

    return make_runner


@pytest.fixture(scope="session")
def bundle(mastra, tmp_path_factory):
    """A bundle that contains its own Python."""
    root = write_project(tmp_path_factory.mktemp("bundle") / "app", {INDEX: ECHO})
    out = root / "out"
    settings = ["-simage=registry.example/team/app", "-sbase=scratch+python"]
    mastra("bundle", "oci", *settings, "-o", out, cwd=root).ok()
    return out
