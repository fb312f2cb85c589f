"""ELF files lose what nothing loads, and nothing else."""

import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastra_deployer.files.strip_symbols import strip_file, strip_symbols

SITE = Path(sysconfig.get_path("platlib"))
LIBRARIES = sorted(path for path in SITE.rglob("*.so*") if path.is_file())
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or struct.calcsize("P") != 8, reason="needs ELF files of 64 bits"
)


def read_memory(content):
    """Return what the loader maps: address, size, flags and content of each segment."""
    offset, count = (
        struct.unpack_from("<Q", content, 32)[0],
        struct.unpack_from("<H", content, 56)[0],
    )
    segments = [struct.unpack_from("<IIQQQQQQ", content, offset + n * 56) for n in range(count)]
    return [
        # The header of the file is mapped too, and has the place of the tables that moved.
        (kind, flags, address, memory, mask_header(content[start : start + size], start))
        for kind, flags, start, address, _, size, memory, _ in segments
        if kind != 6  # the program headers, whose offsets change
    ]


def mask_header(content, start):
    return content[64 + 56 * 16 :] if start == 0 else content


def is_mappable(content):
    """Return whether each loaded segment has an offset that fits its address."""
    offset, count = (
        struct.unpack_from("<Q", content, 32)[0],
        struct.unpack_from("<H", content, 56)[0],
    )
    segments = [struct.unpack_from("<IIQQQQQQ", content, offset + n * 56) for n in range(count)]
    return all(
        (start - address) % alignment == 0
        for kind, _, start, address, _, _, _, alignment in segments
        if kind == 1
    )


def has_symbols(content):
    offset, count = (
        struct.unpack_from("<Q", content, 40)[0],
        struct.unpack_from("<H", content, 60)[0],
    )
    return any(struct.unpack_from("<II", content, offset + n * 64)[1] == 2 for n in range(count))


def test_libraries_of_wheels_map_the_same_memory():
    """Of every library of this environment, such as those that auditwheel has rewritten."""
    stripped_count = 0
    for path in LIBRARIES:
        content = path.read_bytes()
        stripped = strip_symbols(content)
        if stripped is None:
            continue
        stripped_count += 1
        assert len(stripped) < len(content), path
        assert read_memory(stripped) == read_memory(content), path
        assert is_mappable(stripped) and not has_symbols(stripped), path
        assert strip_symbols(stripped) is None, f"{path}: there is nothing left to remove"
    assert stripped_count > 10, "the environment has too few libraries with symbols"


def test_a_stripped_module_is_imported(tmp_path):
    source = next(path for path in LIBRARIES if path.parent.name == "uvloop")
    library = shutil.copytree(source.parent, tmp_path / "uvloop") / source.name
    library.chmod(0o755)
    assert strip_file(library) is True
    assert library.stat().st_mode & 0o777 == 0o755
    assert library.stat().st_size < source.stat().st_size / 4
    code = (
        "import uvloop, asyncio; assert uvloop.__file__.startswith(__import__('os').getcwd()); "
        "print(uvloop.run(asyncio.sleep(0, 'slept')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "slept\n", done.stderr


def test_an_interpreter_still_runs(tmp_path):
    python = Path(sys.executable).resolve()
    copy = tmp_path / "python"
    copy.write_bytes(python.read_bytes())
    copy.chmod(0o755)
    strip_file(copy)
    home = {"PYTHONHOME": sys.base_prefix}
    done = subprocess.run([copy, "-c", "print(6 * 7)"], env=home, capture_output=True, check=False)
    assert done.stdout == b"42\n", done.stderr


def test_hard_links_and_other_files_are_untouched(tmp_path):
    source = next(path for path in LIBRARIES if path.parent.name == "uvloop")
    (tmp_path / "cached.so").write_bytes(source.read_bytes())
    (tmp_path / "module.so").hardlink_to(tmp_path / "cached.so")
    assert strip_file(tmp_path / "module.so") is True
    assert (tmp_path / "cached.so").read_bytes() == source.read_bytes()
    for content in (b"", b"\x7fELF", b"#!/bin/sh\n", b"\0asm\1\0\0\0", b"\x7fELF\x02\x01\x01"):
        (tmp_path / "other").write_bytes(content)
        assert strip_file(tmp_path / "other") is False
        assert (tmp_path / "other").read_bytes() == content


@pytest.fixture(scope="module")
def library():
    """The smallest library with symbols."""
    contents = sorted((path.read_bytes() for path in LIBRARIES), key=len)
    return next(content for content in contents if strip_symbols(content) is not None)


def test_a_payload_behind_the_file_is_kept(library):
    assert strip_symbols(library + b"data that the program reads from its own file") is None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_are_left_or_stay_consistent(library, data):
    content = bytearray(library)
    sections = struct.unpack_from("<Q", content, 40)[0]
    places = [*range(64 + 56 * 9), *range(sections, len(content))]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.sampled_from(places))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))] or content)
    stripped = strip_symbols(content)
    assert stripped is None or len(stripped) < len(content)


@pytest.mark.parametrize("field", [32, 40], ids=["segments", "sections"])
@pytest.mark.parametrize("offset", [1 << 40, (1 << 64) - 1])
def test_a_table_behind_the_end_of_the_file(library, field, offset):
    content = bytearray(library)
    struct.pack_into("<Q", content, field, offset)
    assert strip_symbols(bytes(content)) is None


def test_sections_that_overlap_need_no_memory():
    """A small file may claim that each of its thousand sections is the whole file."""
    code = """if True:
        import resource, struct
        from mastra_deployer.files.strip_symbols import strip_symbols
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        table, names = 4 << 20, b"\\0.debug\\0.data\\0"
        rows = [(0, 0, 0, 0, 0, 0), (0, 3, 0, 0, 120, len(names)), (1, 1, 0, 0, 120, 1)]
        rows += [(8, 1, 0, 0, 0, table)] * 1000
        sections = b"".join(struct.pack("<IIQQQQIIQQ", *row, 0, 0, 1, 0) for row in rows)
        ident = b"\\x7fELF\\2\\1\\1".ljust(16, b"\\0")
        fields = (ident, 3, 62, 1, 0, 64, table, 0, 64, 56, 1, 64, len(rows), 1)
        segment = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, 120, 120, 4096)
        head = struct.pack("<16sHHIQQQIHHHHHH", *fields) + segment + names
        print(strip_symbols(head.ljust(table, b"\\0") + sections))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("None\n", "")
