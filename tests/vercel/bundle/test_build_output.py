"""The format of a bundle for Vercel, its checks, and the archive that is uploaded."""

import json
import os
import tarfile

import pytest

from mastra_core.pipeline import Build, Bundle, BundleManifest, Platform
from mastra_deployer_vercel import VercelDeployer
from mastra_deployer_vercel.bundle.build_output import FUNCTION, OUTPUT, write_output
from mastra_deployer_vercel.bundle.checks import check_build, inspect_bundle
from mastra_deployer_vercel.deploy.archive import pack_archive
from tests.files import find_text
from tests.sample_projects import ECHO, write_project

INDEX = "src/mastra/index.py"


def make_build(directory, files=(), wheels="x86_64-manylinux_2_28", **manifest):
    fields = {"app": "mastra_asgi:app", "paths": ("app/src", "vendor"), "python": "3.13"}
    fields |= {"wheels": wheels, "entry": "mastra.index:mastra", **manifest}
    for name, content in {"app/src/one.py": b"1", "vendor/two.py": b"2", **dict(files)}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Build(
        directory=directory,
        platform=Platform(python="3.13", wheels=wheels),
        manifest=BundleManifest(**fields),
    )


def make_bundle(tmp_path, files=(), **settings):
    build = make_build(tmp_path / "build", files)
    out = tmp_path / "out"
    out.mkdir()
    write_output(build, out, VercelDeployer(project_name="shop", **settings))
    return Bundle.seal(build, out, "vercel")


def load_config(bundle, name=f"{FUNCTION}/.vc-config.json"):
    return json.loads((bundle.directory / name).read_text())


def test_function_config(tmp_path):
    bundle = make_bundle(tmp_path, max_duration=120, memory=1024, regions=("fra1",))
    config = load_config(bundle)
    assert config["runtime"] == "python3.13" and config["architecture"] == "x86_64"
    assert config["handler"] == "vc__handler__python.vc_handler"
    assert config["supportsResponseStreaming"] is True
    assert (config["maxDuration"], config["memory"], config["regions"]) == (120, 1024, ["fra1"])
    assert "maxDuration" not in load_config(make_bundle(tmp_path / "plain"))
    assert not list(inspect_bundle(bundle))


def test_arm_architecture(tmp_path):
    build = make_build(tmp_path / "build", wheels="aarch64-manylinux_2_28")
    (tmp_path / "out").mkdir()
    write_output(build, tmp_path / "out", VercelDeployer(project_name="shop"))
    config = json.loads((tmp_path / "out" / FUNCTION / ".vc-config.json").read_text())
    assert config["architecture"] == "arm64"


def test_crons_and_static_files(tmp_path):
    cron = {"path": "/api/nightly", "schedule": "0 5 * * *"}
    files = {"app/public/a/page.html": b"<p>"}
    bundle = make_bundle(tmp_path, files, crons=(cron,), static="public")
    config = load_config(bundle, f"{OUTPUT}/config.json")
    assert config["version"] == 3 and config["crons"] == [cron]
    assert (bundle.directory / OUTPUT / "static/a/page.html").read_bytes() == b"<p>"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"project_name": "Shop"}, "'Shop'"),
        ({"project_name": "a---b"}, "'a---b'"),
        ({"project_name": "x" * 101}, "xxx"),
        ({"max_duration": 0}, "max_duration=0"),
        ({"max_duration": 1801}, "1801"),
        ({"memory": 64}, "memory=64"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": 10**11}, "timeout=100000000000"),
        ({"regions": ("mars",)}, "'mars'"),
        ({"crons": ({"path": "x", "schedule": "* * * * *"},)}, "cron"),
        ({"crons": ({"path": "/x", "schedule": "hourly"},)}, "hourly"),
        ({"static": "../secrets"}, "'../secrets'"),
        ({"static": "/etc"}, "'/etc'"),
    ],
)
def test_invalid_settings_are_reported(tmp_path, settings, message):
    deployer = VercelDeployer(**{"project_name": "shop", **settings})
    (problem,) = check_build(make_build(tmp_path), deployer)
    assert message in problem.message and problem.hint and problem.severity == "error"


def test_invalid_variable_names_are_reported(tmp_path):
    build = make_build(tmp_path, required=("_PRIVATE",), optional=("FINE",))
    (problem,) = check_build(build, VercelDeployer(project_name="shop"))
    assert "'_PRIVATE'" in problem.message


def test_bundle_without_its_function_is_rejected(tmp_path):
    bundle = make_bundle(tmp_path)
    (bundle.directory / FUNCTION / ".vc-config.json").unlink()
    (problem,) = inspect_bundle(bundle)
    assert "index.func" in problem.message


def pack(bundle, directory):
    directory.mkdir()
    return pack_archive(bundle, directory)


def join_parts(parts, file):
    file.write_bytes(b"".join(part.file.read_bytes() for part in parts))
    with tarfile.open(file, "r:gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_archive_contains_every_file_and_no_directory(tmp_path):
    files = {
        "app/src/empty.py": b"",
        "app/src/größe.txt": "ü".encode(),
        "vendor/" + "n" * 90 + "/" + "m" * 90 + ".py": b"long",
    }
    bundle = make_bundle(tmp_path, files)
    unpacked = join_parts(pack(bundle, tmp_path / "parts"), tmp_path / "all.tgz")
    expected = {
        path.relative_to(bundle.directory).as_posix(): path.read_bytes()
        for path in (bundle.directory / OUTPUT).rglob("*")
        if path.is_file()
    }
    assert unpacked == expected


def test_changed_app_keeps_the_dependency_parts(tmp_path):
    noise = {"vendor/noise.bin": os.urandom(300_000)}
    first = pack(make_bundle(tmp_path / "one", noise), tmp_path / "p1")
    second = pack(make_bundle(tmp_path / "two", noise), tmp_path / "p2")
    changed_bundle = make_bundle(tmp_path / "three", {**noise, "app/src/one.py": b"changed"})
    third = pack(changed_bundle, tmp_path / "p3")
    assert [part.sha1 for part in first] == [part.sha1 for part in second]
    assert [part.sha1 for part in first][:-1] == [part.sha1 for part in third][:-1]
    assert first[-1].sha1 != third[-1].sha1
    assert first[0].size > 300_000 and first[-1].size < 10_000
    assert [part.name for part in first][:2] == [f".vercel/source.tgz.part{n}" for n in (1, 2)]
    assert join_parts(third, tmp_path / "all.tgz")[f"{FUNCTION}/app/src/one.py"] == b"changed"


def test_large_app_file_has_its_own_part(tmp_path):
    data = {"app/data.bin": os.urandom(200_000)}
    first = pack(make_bundle(tmp_path / "one", data), tmp_path / "p1")
    changed_bundle = make_bundle(tmp_path / "two", {**data, "app/src/one.py": b"changed"})
    first_digests = {part.sha1 for part in first}
    sizes = [
        part.size
        for part in pack(changed_bundle, tmp_path / "p2")
        if part.sha1 not in first_digests
    ]
    assert sum(sizes) < 10_000


def test_large_archive_is_split_into_more_parts(tmp_path, monkeypatch):
    from mastra_deployer_vercel.deploy import archive

    monkeypatch.setattr(archive, "_PART_SIZE", 3_000_000)
    bundle = make_bundle(tmp_path, {"vendor/noise.bin": os.urandom(7_000_000)})
    parts = pack(bundle, tmp_path / "parts")
    assert len(parts) >= 4 and all(part.size < 3_100_000 for part in parts)
    files = join_parts(parts, tmp_path / "all.tgz")
    assert len(files[f"{FUNCTION}/vendor/noise.bin"]) == 7_000_000


@pytest.mark.full
@pytest.mark.slow
def test_bundles_are_reproducible(tmp_path, mastra):
    digests = []
    for name in ("one", "two"):
        root = write_project(tmp_path / name / "app", {INDEX: ECHO})
        mastra("bundle", "vercel", "-s", "project_name=shop", "--python", "3.12", cwd=root).ok()
        bundle = Bundle.load(root / ".mastra-local/bundles/vercel")
        digests.append([part.sha1 for part in pack(bundle, tmp_path / name / "parts")])
        assert not find_text(bundle.directory, str(tmp_path))
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_dependency_without_a_linux_wheel_is_reported(tmp_path, mastra):
    root = write_project(
        tmp_path, {INDEX: ECHO}, dependencies=("mastra-core", "pywin32; sys_platform != 'x'")
    )
    done = mastra("bundle", "vercel", "-s", "project_name=shop", "--python", "3.12", cwd=root)
    done.failed(4, "pywin32")
