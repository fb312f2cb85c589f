"""Descriptions of a bundle: its manifest and its bill of materials."""

import json

import pytest

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.metadata.draft_manifest import draft_manifest
from mastra_deployer.bundler.metadata.sbom import write_sbom
from mastra_deployer.bundler.vendor.finished_files import FinishedFile
from mastra_deployer.bundler.vendor.wheel_store import StoredWheel
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import write_project

PLATFORM = Platform(python="3.11", wheels="x86_64-manylinux_2_28")


@pytest.mark.parametrize(
    ("own", "vendored", "pure"),
    [
        ("pack/so.py", "tool/data.so.txt", True),
        ("pack/fast.cpython-311-x86_64-linux-gnu.so", "tool/__init__.py", False),
        ("pack/so.py", "tool/libtool.so.5.1", False),
        ("pack/so.py", "tool/tool.dylib", False),
    ],
)
def test_compiled_libraries_of_the_app_and_of_wheels_count(tmp_path, own, vendored, pure):
    root = write_project(tmp_path, {"main.py": "app = None\n", own: ""})
    wheel = StoredWheel(
        name="tool",
        version="1",
        license="",
        files=(FinishedFile(vendored, 1, 1, "digest"),),
        dropped={},
    )
    project = find_project(root, "main:app")
    assert draft_manifest(project, PLATFORM, "asgi", root, [wheel]).pure is pure


def test_package_urls_are_encoded(tmp_path):
    project = find_project(write_project(tmp_path, {"main.py": "app = None\n"}), "main:app")
    wheel = StoredWheel(name="torch", version="2.1.0+cpu", license="", files=(), dropped={})
    write_sbom(project, [wheel], tmp_path / "bill.json")
    (component,) = json.loads((tmp_path / "bill.json").read_bytes())["components"]
    assert component["purl"] == component["bom-ref"] == "pkg:pypi/torch@2.1.0%2Bcpu"
