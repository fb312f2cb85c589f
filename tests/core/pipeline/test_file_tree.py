"""Files of a system without modes, as Windows is."""

import json
import stat
import subprocess
import sys
from pathlib import Path

from mastra_core.pipeline import measure_files

# Lists what counts as executable: by the bundler, in an archive, and in a packed wheel.
CODE = """
import json, sys, zipfile
from pathlib import Path
from mastra_core.pipeline import file_tree
file_tree.HAS_MODES = False
from mastra_deployer.bundler.own_wheels import pack_tree
from mastra_deployer.bundler.vendor.finished_files import finish_files
from mastra_deployer.kit import iter_entries
tree, out = map(Path, sys.argv[1:])
names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
finished = finish_files({tree: names})[tree]
entries = list(iter_entries(tree))
with zipfile.ZipFile(pack_tree(tree, out)) as wheel:
    packed = [item.filename for item in wheel.infolist() if item.external_attr >> 16 & 0o100]
print(json.dumps([
    sorted(file.name for file in finished if file.executable),
    sorted(entry.path for entry in entries if entry.mode == 0o755),
    sorted(packed),
]))
"""
INFO = "tool-1.dist-info"


def write_tree(root):
    files = {
        "tool/run.sh": b"#!/bin/sh\n",
        "tool/program": b"\x7fELF rest",
        "tool/notes.txt": b"text",
        "tool/empty": b"",
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: tool\nVersion: 1\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    files[f"{INFO}/RECORD"] = "".join(f"{name},,\n" for name in files).encode()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_programs_and_scripts_are_executable_where_files_have_no_modes(tmp_path):
    write_tree(tmp_path / "tree")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "tree", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["tool/program", "tool/run.sh"]] * 3
    assert not Path(tmp_path / "tree/tool/run.sh").stat().st_mode & stat.S_IXUSR


def test_files_and_links_to_files_are_measured(tmp_path):
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/one").write_bytes(b"12345")
    (tmp_path / "tree/inner/two").write_bytes(b"123")
    (tmp_path / "tree/link").symlink_to("one")
    (tmp_path / "tree/directory").symlink_to("inner")
    (tmp_path / "tree/broken").symlink_to("missing")
    assert measure_files(tmp_path / "tree") == 5 + 3 + 5
