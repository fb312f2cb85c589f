import dataclasses
import datetime as dt
import errno
import json
import os
import stat
from pathlib import Path

import pytest

from mastra_core.errors import BundleError
from mastra_core.pipeline import (
    MANIFEST,
    Build,
    Bundle,
    BundleManifest,
    Deployment,
    Environment,
    Platform,
    Problem,
    Project,
    Serve,
    SilentReport,
    lay_out,
)
from mastra_core.pipeline.bundle import _compute_digest as compute_digest
from mastra_core.pipeline.bundle import _list_entries as list_entries
from mastra_core.pipeline.file_tree import get_identity


@pytest.fixture
def build(tmp_path):
    directory = tmp_path / "build"
    for name, text in {
        "index.py": "print()",
        "app/main.py": "app = None",
        "app/data/a.txt": "same",
        "app/data/b.txt": "same",
        "vendor/lib/__init__.py": "",
    }.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    manifest = BundleManifest(
        app="main:app",
        paths=("app", "vendor"),
        python="3.12",
        wheels="x86_64-manylinux_2_28",
        entry="main:app",
        required=("TOKEN",),
        serve=Serve(port=8080),
        registry={"agents": {"a": "b"}},
        sizes={"app": 3},
    )
    return Build(directory=directory, platform=Platform(python="3.12"), manifest=manifest)


@pytest.fixture
def bundle(build, tmp_path):
    directory = tmp_path / "bundle"
    build.copy_to(directory)
    return Bundle.seal(build, directory, "acme", region="eu", retries=3)


def test_sealed_bundle_is_loaded(bundle):
    loaded = Bundle.load(bundle.directory)
    assert loaded == bundle
    assert loaded.manifest.target == "acme"
    assert loaded.manifest.metadata == {"region": "eu", "retries": 3}
    assert loaded.manifest.required == ("TOKEN",)
    names = [path.relative_to(bundle.directory).as_posix() for path in bundle.iter_files()]
    assert names == sorted(names)
    assert {MANIFEST, "index.py", "app/data/b.txt"} <= set(names)


def test_same_files_give_the_same_bytes(build, bundle, tmp_path):
    other = tmp_path / "elsewhere" / "deeper"
    build.copy_to(other)
    Bundle.seal(build, other, "acme", retries=3, region="eu")
    assert (other / MANIFEST).read_bytes() == (bundle.directory / MANIFEST).read_bytes()
    assert str(tmp_path) not in (other / MANIFEST).read_text()


def test_only_changed_files_are_read_again(build, tmp_path):
    file = build.directory / "app" / "main.py"
    known = {get_identity(file.stat()): "0" * 64}
    told = dataclasses.replace(build, digests=known)
    sealed = []
    for number, source in enumerate((build, told, told)):
        if number == 2:
            file.write_text("app = None ")
        target = tmp_path / str(number)
        source.copy_to(target)
        sealed.append(Bundle.seal(source, target, "acme").manifest.digest)
    assert len(set(sealed)) == 3
    assert Bundle.load(tmp_path / "2").manifest.digest == sealed[2]
    with pytest.raises(BundleError, match="was changed"):
        Bundle.load(tmp_path / "1")


def test_sealing_again_changes_nothing(build, bundle):
    before = (bundle.directory / MANIFEST).read_bytes()
    again = Bundle.seal(build, bundle.directory, "acme", region="eu", retries=3)
    assert (again.directory / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    "tamper",
    [
        lambda root: (root / "index.py").write_text("print(1)"),
        lambda root: (root / "more.py").write_text(""),
        lambda root: (root / "vendor" / "lib" / "__init__.py").unlink(),
        lambda root: (root / "index.py").rename(root / "main.py"),
        lambda root: os.replace(root / "app/main.py", root / "app/data/a.txt"),
    ],
)
def test_tampering_is_detected(bundle, tamper):
    tamper(bundle.directory)
    with pytest.raises(BundleError, match="was changed after it was made"):
        Bundle.load(bundle.directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is missing"),
        ("not json", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"app": 1}', "cannot be read"),
    ],
)
def test_invalid_manifest(bundle, text, message):
    file = bundle.directory / MANIFEST
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(BundleError, match=message) as caught:
        Bundle.load(bundle.directory)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("field", "path", "message"),
    [
        ("paths", "../app", "points outside"),
        ("paths", "/etc", "points outside"),
        ("executables", "../victim", "points outside"),
        ("executables", "app/none", "was changed"),
    ],
)
def test_a_manifest_that_names_files_elsewhere_is_refused(build, bundle, field, path, message):
    victim = bundle.directory.parent / "victim"
    victim.touch(mode=0o644)
    file = bundle.directory / MANIFEST
    facts = {**json.loads(file.read_text()), field: [path]}
    digest = compute_digest(list_entries(bundle.directory), json.dumps(facts).encode(), {})
    file.write_text(json.dumps({**facts, "digest": digest}))
    with pytest.raises(BundleError, match=message):
        Bundle.load(bundle.directory)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


def test_a_manifest_that_is_a_directory_is_refused(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.load(tmp_path)


def test_a_copy_replaces_files_and_never_writes_into_them(build, tmp_path):
    target, other = tmp_path / "copy", tmp_path / "other"
    build.copy_to(target)
    build.copy_to(target)
    (other / "app").mkdir(parents=True)
    (other / "app/main.py").write_text("app = 1")
    lay_out(other, target)
    assert (target / "app/main.py").read_text() == "app = 1"
    assert (build.directory / "app/main.py").read_text() == "app = None"


def test_file_is_no_bundle(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="is missing"):
        Bundle.load(tmp_path / "file")


def test_newer_manifest_is_read(bundle):
    file = bundle.directory / MANIFEST
    newer = {**json.loads(file.read_bytes()), "later": 1, "digest": ""}
    newer["digest"] = compute_digest(list_entries(bundle.directory), json.dumps(newer).encode(), {})
    file.write_text(json.dumps(newer))
    found = Bundle.load(bundle.directory)
    assert found.manifest.entry == bundle.manifest.entry


def test_digest_covers_the_manifest(bundle):
    file = bundle.directory / MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "required": ["OTHER"]}))
    with pytest.raises(BundleError, match="was changed"):
        Bundle.load(bundle.directory)


def test_other_facts_give_another_digest(build, tmp_path):
    digests = set()
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        digests.add(Bundle.seal(build, tmp_path / str(number), "acme", n=number).manifest.digest)
    assert len(digests) == 2


def test_copy_to_copies_everything_and_keeps_other_files(build, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "vercel.json").write_text("{}")
    (build.directory / "link.txt").symlink_to("app/data/a.txt")
    build.copy_to(target)
    assert (target / "app" / "main.py").read_text() == "app = None"
    assert (target / "vercel.json").read_text() == "{}"
    assert (target / "link.txt").is_symlink()
    assert build.app == "main:app"


def seal_with_umask(build, directory, umask):
    """Seal a bundle with an executable helper, in a process with this umask."""
    before = os.umask(umask)
    try:
        build.copy_to(directory)
        for name, mode in {
            "app/helper": 0o777,
            "vendor/lib/tool": 0o555,
            "notes.txt": 0o666,
        }.items():
            (directory / name).write_text("#!/bin/sh\n")
            (directory / name).chmod(mode & ~umask)
        return Bundle.seal(build, directory, "acme")
    finally:
        os.umask(before)


def read_modes(directory):
    return {
        path.relative_to(directory).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (directory, *directory.rglob("*"))
    }


def test_modes_are_normalized_whatever_the_umask(build, tmp_path):
    bundles = [
        seal_with_umask(build, tmp_path / f"{umask:o}", umask) for umask in (0, 0o022, 0o027, 0o077)
    ]
    assert len({bundle.manifest.digest for bundle in bundles}) == 1
    modes = read_modes(bundles[0].directory)
    assert all(read_modes(bundle.directory) == modes for bundle in bundles)
    assert (modes["."], modes["app"], modes["app/main.py"], modes[MANIFEST]) == (
        *(0o755, 0o755, 0o644, 0o644),
    )
    assert (modes["app/helper"], modes["vendor/lib/tool"], modes["notes.txt"]) == (
        *(0o755, 0o555, 0o644),
    )
    assert bundles[0].manifest.executables == ("app/helper", "vendor/lib/tool")


@pytest.mark.parametrize(("name", "mode"), [("app/helper", 0o644), ("app/main.py", 0o755)])
def test_changed_executable_bits_are_restored(build, tmp_path, name, mode):
    bundle = seal_with_umask(build, tmp_path / "bundle", 0o022)
    before = read_modes(bundle.directory)
    (bundle.directory / name).chmod(mode)
    assert Bundle.load(bundle.directory) == bundle
    assert read_modes(bundle.directory) == before


def test_executable_bits_that_cannot_be_restored_are_an_error(build, tmp_path, monkeypatch):
    bundle = seal_with_umask(build, tmp_path / "bundle", 0o022)
    (bundle.directory / "app/helper").chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse_to_change)
    with pytest.raises(BundleError, match=r"'app/helper'.*Read-only") as caught:
        Bundle.load(bundle.directory)
    assert "tar" in caught.value.hint


def test_copies_keep_modes_and_links_where_hard_links_are_impossible(build, tmp_path, monkeypatch):
    (build.directory / "app/helper").touch(mode=0o755)
    (build.directory / "link").symlink_to("nowhere")
    monkeypatch.setattr(os, "link", fail_to_link)
    build.copy_to(tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy/app/helper").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "copy/app/main.py").stat().st_mode) == 0o644
    assert (tmp_path / "copy/link").readlink() == Path("nowhere")


def refuse_to_change(self, mode):
    raise OSError(errno.EROFS, "Read-only file system")


def fail_to_link(*_, **__):
    raise OSError(errno.EXDEV, "another file system")


def test_pipeline_types_are_frozen_and_keyword_only(build, bundle):
    for thing in (build, bundle, Platform(), Environment()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            thing.directory = None
    with pytest.raises(TypeError):
        Platform("3.12")


def test_project_paths(tmp_path):
    project = Project(
        root=tmp_path, import_root=tmp_path / "src", module="mastra.index", attribute="mastra",
        name="x", environment=Environment(required=("A",), optional=("B",)),
    )  # fmt: skip
    assert project.entry == "mastra.index:mastra"
    assert project.local_directory == tmp_path / ".mastra-local"
    assert project.environment.names == ("A", "B")
    assert str(Platform(python="3.12", wheels="linux")) == "Python 3.12 on linux"


def test_silent_report():
    report = SilentReport()
    assert report.step("x") is report.advance(1, 2) is report.note("y", "z") is None


@pytest.mark.parametrize("value", [object(), Path("a"), "\ud800"])
def test_metadata_that_is_no_json(build, value):
    with pytest.raises(BundleError, match="JSON cannot express the metadata"):
        Bundle.seal(build, build.directory, "acme", value=value)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: Problem(message="Too large.", severity="fatal"), "severity 'fatal'"),
        (lambda: create_deployment(state="error"), "state 'error'"),
        (lambda: create_deployment(environment="staging"), "stage 'staging'"),
        (
            lambda: create_deployment(created=dt.datetime.now(dt.UTC).replace(tzinfo=None)),
            "has no time zone",
        ),
    ],
)
def test_value_that_the_host_would_ignore(create, message):
    with pytest.raises(ValueError, match=message):
        create()


def create_deployment(**fields):
    facts = {"environment": "production", "created": dt.datetime.now(dt.UTC), **fields}
    return Deployment(target="acme", id="1", url="https://a.example", **facts)
