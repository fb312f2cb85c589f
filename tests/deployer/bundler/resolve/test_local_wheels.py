"""Wheels of local projects with compiled code: for the target's Python, on this machine only."""

import json
import subprocess
import sys

import pytest

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.source_builds import build_local_wheel
from mastra_deployer.bundler.resolve.wheel_tags import describe_platform, is_compatible
from mastra_deployer.project.interpreters import probe_interpreter
from mastra_deployer.project.macos_version import get_macos_version
from tests.emulated_python import create_mac_python, create_musl_python, share_packages

# A build backend that names its wheel as setuptools names one with compiled code.
BACKEND = """\
import sys, sysconfig, zipfile

def build_wheel(directory, *rest, **more):
    tag = "cp%d%d" % sys.version_info[:2]
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    name = f"native-1-{tag}-{tag}-{machine}.whl"
    files = {
        "native.txt": "",
        "native-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: native\\nVersion: 1\\n",
        "native-1.dist-info/WHEEL": f"Wheel-Version: 1.0\\nTag: {tag}-{tag}-{machine}\\n",
    }
    files["native-1.dist-info/RECORD"] = "".join(f"{file},,\\n" for file in files)
    with zipfile.ZipFile(f"{directory}/{name}", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return name
"""
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "native"
version = "1"
"""
# Builds a wheel for this machine, and lets uv install it as a build does.
NATIVE = """
import json, sys
from pathlib import Path
from mastra_deployer.bundler.resolve.source_builds import build_local_wheel
from mastra_deployer.project.uv import build_target_arguments, run_uv
from mastra_deployer.project.interpreters import probe_interpreter
interpreter = probe_interpreter(sys.executable)
wheel = build_local_wheel(Path(sys.argv[1]), interpreter.platform, interpreter)
target = build_target_arguments(interpreter.python, interpreter.wheels)
flags = ["--quiet", "--no-index", "--target", sys.argv[2]]
run_uv(["pip", "install", *flags, *target, str(wheel)])
print(json.dumps([interpreter.wheels, wheel.name]))
"""
LINUX = "x86_64-manylinux_2_28"


@pytest.fixture
def native(tmp_path, monkeypatch):
    """The directory of a local project with compiled code."""
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    directory = tmp_path / "native"
    directory.mkdir()
    (directory / "backend.py").write_text(BACKEND)
    (directory / "pyproject.toml").write_text(PYPROJECT)
    return directory


def test_compiled_code_is_for_the_python_of_the_target(native, find_python):
    interpreters = [probe_interpreter(sys.executable), probe_interpreter(find_python("3.12"))]
    for interpreter in interpreters:
        wheel = build_local_wheel(native, interpreter.platform, interpreter)
        tag = f"cp{interpreter.python.replace('.', '')}"
        assert wheel.name.startswith(f"native-1-{tag}-{tag}-")


def test_compiled_code_without_the_python_of_the_target(native):
    own = probe_interpreter(sys.executable)
    with pytest.raises(BuildError, match=r"this machine has no Python 3\.99"):
        build_local_wheel(native, Platform(python="3.99", wheels=own.wheels), None)
    with pytest.raises(BuildError, match=r"Its wheel is for this machine, not for .* s390x"):
        build_local_wheel(native, Platform(python=own.python, wheels="s390x-manylinux_2_28"), own)


@pytest.mark.skipif(sys.platform != "linux", reason="emulates another C library of Linux")
def test_code_compiled_on_musl_is_not_for_glibc(native, tmp_path):
    """Both name it ``linux_x86_64``."""
    musl = probe_interpreter(str(create_musl_python(tmp_path / "musl")))
    machine = musl.wheels.partition("-")[0]
    assert musl.wheels == f"{machine}-unknown-linux-musl"
    glibc = Platform(python=musl.python, wheels=f"{machine}-manylinux_2_28")
    with pytest.raises(BuildError, match="Its wheel is for this machine"):
        build_local_wheel(native, glibc, musl)


@pytest.mark.skipif(sys.platform != "linux", reason="emulates macOS on Linux")
def test_code_compiled_on_a_mac_is_for_its_macos(native, tmp_path):
    """The wheel is for macOS 15; uv assumes an older one where no version is given."""
    python = create_mac_python(tmp_path / "mac")
    share_packages(python)
    done = subprocess.run(
        [python, "-c", NATIVE, native, tmp_path / "installed"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wheels, name = json.loads(done.stdout)
    assert wheels == "aarch64-apple-darwin"
    assert name.endswith("macosx_15_0_arm64.whl")
    assert (tmp_path / "installed/native.txt").is_file()


def test_version_of_macos(monkeypatch):
    """The variable of compilers counts for wheels of an index too, and for keys of caches."""
    mac = Platform(python="3.11", wheels="aarch64-apple-darwin")
    wheel = "x-1-cp311-cp311-macosx_14_0_arm64.whl"
    descriptions = set()
    for version, fits in (("13", False), ("14.0", True), ("15.5.1", True)):
        monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", version)
        assert is_compatible(wheel, mac) == fits
        descriptions.add(describe_platform(mac))
    assert len(descriptions) == 3
    assert describe_platform(Platform(python="3.11", wheels=LINUX)).endswith(LINUX)
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "newest")
    with pytest.raises(ConfigError, match="MACOSX_DEPLOYMENT_TARGET is 'newest'"):
        get_macos_version()
