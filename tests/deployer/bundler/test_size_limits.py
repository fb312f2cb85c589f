"""Size limits of a target: known from the index before anything is installed."""

import json

import pytest

from tests.sample_projects import ECHO, write_project

pytestmark = pytest.mark.slow

DEPLOYER = """\
import dataclasses
from typing import ClassVar

from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, TargetLimits, Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    target: ClassVar[str] = "small"


@hookimpl
def mastra_target():
    return Target(name="small", summary="", settings=Settings, limits=TargetLimits({limits}))


@hookimpl
def mastra_bundle(build, directory, settings):
    build.copy_to(directory)
    return Bundle.seal(build, directory, "small")
"""
CONFIG = '[tool.mastra.targets.small]\ndeployer = "./small.py"\n'


@pytest.fixture
def bundle(tmp_path, mastra):
    """`bundle(limits)` bundles a small app for a target with these limits, in an empty cache."""
    root = write_project(tmp_path / "app", {"src/mastra/index.py": ECHO}, CONFIG)

    def run(limits):
        (root / "small.py").write_text(DEPLOYER.format(limits=limits))
        values = {"MASTRA_CACHE_DIR": str(tmp_path / "cache"), "MASTRA_TRUST": "./small.py"}
        return mastra("bundle", "small", "-o", tmp_path / "out", cwd=root, **values)

    return run


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("size=1_000_000", "but small allows 1.0 MB. Nothing was installed"),
        ("compressed=500_000", "but small allows 0.5 MB compressed. Nothing was installed"),
    ],
)
def test_wheels_that_are_too_large_are_not_installed(bundle, tmp_path, limits, message):
    failed = bundle(limits).failed(4, "The wheels of the dependencies have", message, "litestar")
    assert "Installing" not in failed.err
    assert not (tmp_path / "cache" / "parts").exists()


@pytest.mark.full
def test_the_installed_and_the_compressed_bundle_are_checked(bundle, tmp_path):
    bundle("size=9_000_000").failed(4, "The bundle has", "small allows 9.0 MB", "litestar")
    # Above half of the wheels, which may be files that do not ship.
    bundle("compressed=3_700_000").failed(4, "MB compressed, but small allows 3.7 MB", "litestar")
    bundle("size=200_000_000, compressed=50_000_000").ok()
    assert json.loads((tmp_path / "out" / "mastra-bundle.json").read_text())["target"] == "small"
