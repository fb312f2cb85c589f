"""Files of a scaffold: all are written, or none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from mastra_core.errors import ConfigError
from mastra_deployer.scaffold import render


def list_names(directory):
    return sorted(path.name for path in directory.rglob("*"))


def test_a_directory_in_place_of_a_file_changes_nothing(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        render.write_files({"a": "new", "b": "new", "c": "new"}, tmp_path, force=True)
    assert (tmp_path / "a").read_text() == "old"
    assert list_names(tmp_path) == ["a", "b"]
    render.write_files({"a": "new", "c": "new"}, tmp_path, force=True)
    assert (tmp_path / "a").read_text() == "new"


def test_an_interrupt_leaves_no_drafts(tmp_path, monkeypatch):
    write_draft = render._write_draft

    def interrupt(draft, target, text):
        write_draft(draft, target, text)
        if target.name == "b":
            raise KeyboardInterrupt

    monkeypatch.setattr(render, "_write_draft", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render.write_files({"x/a": "1", "x/b": "2"}, tmp_path)
    assert list_names(tmp_path) == []


@pytest.mark.parametrize(
    ("version", "versions"),
    [
        ("0.1.0", ">=0.1,<0.2"),
        ("2.3.4", ">=2.3,<3"),
        ("4", ">=4.0,<5"),
        ("0.1rc1", ">=0.1rc1,<0.2"),
        ("0.2.dev3+g1a2b3c4", ">=0.2.dev3,<0.3"),
    ],
)
def test_compatible_versions(tmp_path, monkeypatch, version, versions):
    info = tmp_path / f"acme_tool-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-tool\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert render.get_compatible_range("acme-tool") == versions


@pytest.mark.parametrize("origin", ["directory of links", "wheel"])
def test_a_distribution_from_a_local_wheel_is_not_on_an_index(tmp_path, monkeypatch, origin):
    wheels = Path(os.environ["MASTRA_TEST_WHEELS"])
    wheel = max(wheels.glob("mastra_core-*.whl"))
    requirement = ["--find-links", wheels, "mastra-core"] if origin != "wheel" else [wheel]
    subprocess.run(
        [
            *(find_uv_bin(), "pip", "install", "--quiet", "--offline", "--no-deps"),
            *("--python", sys.executable, "--target", tmp_path, *requirement),
        ],
        check=True,
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    assert not render.is_on_index("mastra-core")
    assert render.is_on_index("httpx")
