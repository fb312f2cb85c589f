"""Wheels that are made of installed files and of local projects."""

import os
import stat
from zipfile import ZipFile

from mastra_deployer.bundler.own_wheels import get_own_wheel, hash_tree, pack_tree

INFO = "tool-1.dist-info"


def write_tree(root):
    files = {
        "tool/__init__.py": "",
        "tool/driver": "#!/bin/sh\n",
        f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: tool\nVersion: 1\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    files[f"{INFO}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{INFO}/RECORD"])
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        (root / name).chmod(0o600)
    (root / "tool/driver").chmod(0o700)
    return root


def test_packed_wheel_keeps_executable_bits(tmp_path):
    tree = write_tree(tmp_path / "tree")
    (tmp_path / "made").mkdir()
    with ZipFile(pack_tree(tree, tmp_path / "made")) as wheel:
        modes = {item.filename: item.external_attr >> 16 for item in wheel.infolist()}
    assert modes.pop("tool/driver") == stat.S_IFREG | 0o755
    assert set(modes.values()) == {stat.S_IFREG | 0o644}


def test_hash_of_a_local_project_covers_executable_bits_only(tmp_path):
    tree = write_tree(tmp_path / "tree")
    first = hash_tree(tree)
    (tree / "tool/__init__.py").chmod(0o664)
    assert hash_tree(tree) == first
    (tree / "tool/driver").chmod(0o644)
    assert hash_tree(tree) != first


def test_hash_of_a_local_project_covers_names_that_are_not_utf_8(tmp_path):
    tree = write_tree(tmp_path / "tree")
    first = hash_tree(tree)
    (tree / os.fsdecode(b"\xff.txt")).touch()
    second = hash_tree(tree)
    (tree / os.fsdecode(b"\xff.txt")).rename(tree / os.fsdecode(b"\xfe.txt"))
    assert len({first, second, hash_tree(tree)}) == 3


def test_each_cache_has_its_own_wheel(tmp_path, monkeypatch):
    paths = []
    for name in ("one", "two"):
        monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / name))
        paths += [get_own_wheel("mastra-core"), get_own_wheel("mastra-core")]
    assert paths[0] == paths[1] and paths[2] == paths[3]
    assert all(path.is_file() for path in paths)
    assert paths[0].is_relative_to(tmp_path / "one") and paths[2].is_relative_to(tmp_path / "two")
