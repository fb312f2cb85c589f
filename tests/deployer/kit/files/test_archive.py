"""Archives: reproducible, readable by other programs, and written with constant memory."""

import base64
import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mastra_core.errors import BundleError
from mastra_deployer.kit import (
    TAR_END,
    ArchiveEntry,
    GzipWriter,
    create_zip,
    iter_entries,
    iter_tar_member,
    split_file,
    tar_directory,
    write_tar,
    write_zip,
    zip_directory,
)

FILES = {
    "index.py": b"print('hello')\n",
    "b/ü.txt": b"text",
    "b/empty": b"",
    "a" * 90 + "/" + "n" * 120: b"a long name",
    "z/run.sh": b"#!/bin/sh\necho ran\n",
    "c/data.bin": bytes(range(256)) * 5000,
}
RUN = ("z/run.sh",)


@pytest.fixture
def tree(tmp_path):
    return write_files(tmp_path / "tree", FILES)


def write_files(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def zip_in_memory(root, **options):
    target = io.BytesIO()
    zip_directory(root, target, **options)
    return target.getvalue()


def create_tar(root, **options):
    target = io.BytesIO()
    tar_directory(root, target, **options)
    return target.getvalue()


@pytest.mark.parametrize("pack", [zip_in_memory, create_tar])
def test_times_modes_and_order_of_creation_do_not_change_the_bytes(tree, tmp_path, pack):
    other = write_files(tmp_path / "other", dict(reversed(FILES.items())))
    for number, name in enumerate(FILES):
        os.utime(other / name, (number, number))
        (other / name).chmod(0o700 if number % 2 else 0o444)
    assert pack(tree, executables=RUN) == pack(other, executables=RUN)
    assert pack(tree) != pack(tree, executables=RUN)


def test_a_zip_holds_every_file_with_its_mode(tree):
    with zipfile.ZipFile(io.BytesIO(zip_in_memory(tree, executables=RUN))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(FILES)
        for name, content in FILES.items():
            info = archive.getinfo(name)
            assert archive.read(name) == content
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            mode = info.external_attr >> 16
            assert stat.S_ISREG(mode)
            assert stat.S_IMODE(mode) == (0o755 if name in RUN else 0o644)


@pytest.mark.parametrize("compress", [True, False])
def test_a_tar_holds_every_file_with_its_mode_and_owner(tree, compress):
    content = create_tar(tree, compress=compress, prefix="app/src", executables=RUN)
    assert content.startswith(b"\x1f\x8b") == compress
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == [f"app/src/{name}" for name in sorted(FILES)]
        for info in archive:
            name = info.name.removeprefix("app/src/")
            assert archive.extractfile(info).read() == FILES[name]
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
            assert info.mode == (0o755 if name in RUN else 0o644)


def test_gzip_header_has_no_name_and_no_time(tree):
    content = create_tar(tree)
    assert content[3] == 0, "a name"
    assert content[4:8] == bytes(4), "a time"
    assert gzip.decompress(content) == create_tar(tree, compress=False)


def test_only_the_given_paths_are_written(tree):
    paths = ["c/data.bin", "index.py"]
    with zipfile.ZipFile(io.BytesIO(zip_in_memory(tree, paths=reversed(paths)))) as archive:
        assert archive.namelist() == paths
    with tarfile.open(fileobj=io.BytesIO(create_tar(tree, paths=iter(paths)))) as archive:
        assert archive.getnames() == paths


@pytest.mark.parametrize("pack", [zip_in_memory, create_tar])
def test_symbolic_links_are_rejected(tree, pack):
    (tree / "link").symlink_to("index.py")
    with pytest.raises(BundleError, match="link"):
        pack(tree)


def test_an_existing_file_is_replaced(tree, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"older and longer" * 10_000)
    zip_directory(tree, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == zip_in_memory(tree)
    tar_directory(tree, tmp_path / "a.tgz")
    assert (tmp_path / "a.tgz").read_bytes() == create_tar(tree)


@pytest.mark.parametrize("pack", [zip_in_memory, create_tar])
def test_the_executable_bit_of_files_is_kept(tree, pack):
    """Other bits depend on the umask of the machine."""
    (tree / RUN[0]).chmod(0o744)
    (tree / "index.py").chmod(0o666)
    assert pack(tree) == pack(tree, executables=RUN) != pack(tree, executables=())


def test_entries_are_files_links_and_directories(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    entries = [
        ArchiveEntry(path="bin", directory=True, mode=0o755),
        ArchiveEntry(path="bin/python", link="python3.12"),
        ArchiveEntry(path="bin/python3.12", source=tmp_path / "file", mode=0o755),
        ArchiveEntry(path="note", content=b"text"),
    ]
    tar, packed = io.BytesIO(), io.BytesIO()
    write_tar(entries, tar.write)
    write_zip(entries, packed)
    with tarfile.open(fileobj=io.BytesIO(tar.getvalue())) as archive:
        assert [(item.name, item.mode) for item in archive] == [
            ("bin", 0o755),
            ("bin/python", 0o777),
            ("bin/python3.12", 0o755),
            ("note", 0o644),
        ]
        assert archive.getmember("bin/python").linkname == "python3.12"
        assert archive.extractfile("bin/python3.12").read() == b"content"
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["bin/", "bin/python", "bin/python3.12", "note"]
        types = [stat.S_IFMT(item.external_attr >> 16) for item in archive.infolist()]
        assert types == [stat.S_IFDIR, stat.S_IFLNK, stat.S_IFREG, stat.S_IFREG]
        assert archive.read("bin/python") == b"python3.12" and archive.read("note") == b"text"


def test_entries_are_appended_to_a_zip(tmp_path):
    first, second = ArchiveEntry(path="a", content=b"1"), ArchiveEntry(path="b", content=b"2")
    both, file = io.BytesIO(), tmp_path / "a.zip"
    write_zip([first, second], both)
    with file.open("wb") as target:
        write_zip([first], target)
    with file.open("r+b") as target:
        write_zip([second], target, append=True)
    assert file.read_bytes() == both.getvalue()


def test_links_are_kept_on_request(tree):
    (tree / "link").symlink_to("index.py")
    links = [item for item in iter_entries(tree, "app", keep_links=True) if item.link]
    assert links == [ArchiveEntry(path="app/link", link="index.py")]


def test_a_tar_is_its_members_and_an_end(tree):
    """The bytes are those that the standard library writes."""
    members = b"".join(chunk for item in iter_entries(tree) for chunk in iter_tar_member(item))
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(FILES):
            info = tarfile.TarInfo(name)
            info.size = len(FILES[name])
            archive.addfile(info, io.BytesIO(FILES[name]))
    assert expected.getvalue().startswith(members + TAR_END)
    assert create_tar(tree, compress=False) == expected.getvalue()


@pytest.mark.parametrize("pack", [zip_in_memory, create_tar])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path, pack):
    writer = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    try:
        directory = Path(f"/proc/{writer.pid}")
        if not (directory / "status").exists():
            pytest.skip("there is no /proc, whose files have no size")
        with pytest.raises(BundleError, match="changed while it was written"):
            pack(directory, paths=["status"])
    finally:
        writer.communicate()


def test_a_gzip_stream_can_be_cut_where_it_was_flushed():
    """What follows is compressed without reference to what came before."""
    streams = []
    for first in (b"a" * 5000, b"b" * 9000):
        parts = [io.BytesIO(), io.BytesIO()]
        stream = GzipWriter(lambda content, parts=parts: parts[0].write(content))
        stream.write(first)
        stream.flush()
        parts.reverse()
        stream.write(b"the same" * 100)
        stream.flush()
        second = parts[0].getvalue()
        stream.close()
        assert gzip.decompress(parts[1].getvalue() + parts[0].getvalue()) == (
            first + b"the same" * 100
        )
        streams.append(second)
    assert streams[0] == streams[1]


@pytest.mark.skipif(not shutil.which("tar"), reason="there is no tar")
def test_tar_extracts_the_archive(tree, tmp_path):
    tar_directory(tree, tmp_path / "a.tgz", executables=RUN)
    home = tmp_path / "out"
    home.mkdir()
    subprocess.run(["tar", "xzf", tmp_path / "a.tgz"], cwd=home, check=True)
    done = subprocess.run([home / "z/run.sh"], capture_output=True, check=True)
    assert done.stdout == b"ran\n"
    assert {name: (home / name).read_bytes() for name in FILES} == FILES


def test_a_file_is_split_into_parts(tmp_path):
    (tmp_path / "big").write_bytes(bytes(range(250)) * 10)
    parts = list(split_file(tmp_path / "big", 999))
    assert [len(part) for part in parts] == [999, 999, 502]
    assert b"".join(parts) == (tmp_path / "big").read_bytes()
    (tmp_path / "empty").touch()
    assert list(split_file(tmp_path / "empty", 999)) == []


MEMORY = """
import resource, sys
from pathlib import Path
from mastra_deployer.kit import tar_directory, zip_directory
tree, target = map(Path, sys.argv[1:])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
zip_directory(tree, target)
tar_directory(tree, target)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
def test_memory_stays_flat_for_200_megabytes(tmp_path):
    (tmp_path / "tree").mkdir()
    for number in range(4):
        with (tmp_path / "tree" / str(number)).open("wb") as file:
            file.truncate(50_000_000)
    command = [sys.executable, "-c", MEMORY, tmp_path / "tree", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert int(done.stdout) < 20_000_000


def test_a_zip_in_memory_has_its_digest_in_the_platforms_forms(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    archive = create_zip(tmp_path, paths=["a"], executables={"a"})
    zip_directory(tmp_path, file := io.BytesIO(), paths=["a"], executables={"a"})
    assert archive.content == file.getvalue()
    digest = hashlib.sha256(archive.content)
    assert archive.sha256 == digest.hexdigest()
    assert base64.b64decode(archive.sha256_base64) == digest.digest()
    assert base64.b64decode(archive.content_base64) == archive.content
