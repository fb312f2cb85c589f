"""The shape of a bundle for Vercel, its checks, and the archive it is sent as."""

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


def build_in(directory, files=(), wheels="x86_64-manylinux_2_28", **manifest):
    known = {"app": "mastra_asgi:app", "paths": ("app/src", "vendor"), "python": "3.13"}
    known |= {"wheels": wheels, "entry": "mastra.index:mastra", **manifest}
    for name, content in {"app/src/one.py": b"1", "vendor/two.py": b"2", **dict(files)}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Build(
        directory=directory,
        platform=Platform(python="3.13", wheels=wheels),
        manifest=BundleManifest(**known),
    )


def bundled(tmp_path, files=(), **settings):
    build = build_in(tmp_path / "build", files)
    out = tmp_path / "out"
    out.mkdir()
    write_output(build, out, VercelDeployer(project_name="shop", **settings))
    return Bundle.seal(build, out, "vercel")


def config_of(bundle, name=f"{FUNCTION}/.vc-config.json"):
    return json.loads((bundle.directory / name).read_text())


def test_the_function_says_how_it_is_run(tmp_path):
    bundle = bundled(tmp_path, max_duration=120, memory=1024, regions=("fra1",))
    config = config_of(bundle)
    assert config["runtime"] == "python3.13" and config["architecture"] == "x86_64"
    assert config["handler"] == "vc__handler__python.vc_handler"
    assert config["supportsResponseStreaming"] is True
    assert (config["maxDuration"], config["memory"], config["regions"]) == (120, 1024, ["fra1"])
    assert "maxDuration" not in config_of(bundled(tmp_path / "plain"))
    assert not list(inspect_bundle(bundle))


def test_arm_is_arm(tmp_path):
    build = build_in(tmp_path / "build", wheels="aarch64-manylinux_2_28")
    (tmp_path / "out").mkdir()
    write_output(build, tmp_path / "out", VercelDeployer(project_name="shop"))
    config = json.loads((tmp_path / "out" / FUNCTION / ".vc-config.json").read_text())
    assert config["architecture"] == "arm64"


def test_crons_and_static_files(tmp_path):
    cron = {"path": "/api/nightly", "schedule": "0 5 * * *"}
    files = {"app/public/a/page.html": b"<p>"}
    bundle = bundled(tmp_path, files, crons=(cron,), static="public")
    config = config_of(bundle, f"{OUTPUT}/config.json")
    assert config["version"] == 3 and config["crons"] == [cron]
    assert (bundle.directory / OUTPUT / "static/a/page.html").read_bytes() == b"<p>"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"project_name": "Shop"}, "'Shop'"),
        ({"project_name": "a---b"}, "'a---b'"),
        ({"project_name": "x" * 101}, "xxx"),
        ({"max_duration": 0}, "max_duration is 0"),
        ({"max_duration": 1801}, "1801"),
        ({"memory": 64}, "memory is 64"),
        ({"regions": ("mars",)}, "'mars'"),
        ({"crons": ({"path": "x", "schedule": "* * * * *"},)}, "cron"),
        ({"crons": ({"path": "/x", "schedule": "hourly"},)}, "hourly"),
        ({"static": "../secrets"}, "'../secrets'"),
        ({"static": "/etc"}, "'/etc'"),
    ],
)
def test_settings_that_cannot_work_are_found_before_bundling(tmp_path, settings, words):
    given = VercelDeployer(**{"project_name": "shop", **settings})
    (problem,) = check_build(build_in(tmp_path), given)
    assert words in problem.message and problem.hint and problem.severity == "error"


def test_names_of_variables_that_vercel_refuses(tmp_path):
    build = build_in(tmp_path, required=("_PRIVATE",), optional=("FINE",))
    (problem,) = check_build(build, VercelDeployer(project_name="shop"))
    assert "'_PRIVATE'" in problem.message


def test_runs_in_memory_are_warned_about(tmp_path):
    build = build_in(tmp_path, registry={"workflows": {"trip": {}}}, serve={"single_process": True})
    found = list(check_build(_typed(build), VercelDeployer(project_name="shop")))
    assert [problem.severity for problem in found] == ["warning"]


def _typed(build):
    import dataclasses

    import msgspec

    return dataclasses.replace(
        build, manifest=msgspec.convert(msgspec.to_builtins(build.manifest), BundleManifest)
    )


def test_a_bundle_without_its_function_is_refused(tmp_path):
    bundle = bundled(tmp_path)
    (bundle.directory / FUNCTION / ".vc-config.json").unlink()
    (problem,) = inspect_bundle(bundle)
    assert "index.func" in problem.message


def packed(bundle, directory):
    directory.mkdir()
    return pack_archive(bundle, directory)


def joined(parts, file):
    file.write_bytes(b"".join(part.file.read_bytes() for part in parts))
    with tarfile.open(file, "r:gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_the_archive_holds_every_file_and_no_directory(tmp_path):
    files = {
        "app/src/empty.py": b"",
        "app/src/größe.txt": "ü".encode(),
        "vendor/" + "n" * 90 + "/" + "m" * 90 + ".py": b"long",
    }
    bundle = bundled(tmp_path, files)
    found = joined(packed(bundle, tmp_path / "parts"), tmp_path / "all.tgz")
    there = {
        path.relative_to(bundle.directory).as_posix(): path.read_bytes()
        for path in (bundle.directory / OUTPUT).rglob("*")
        if path.is_file()
    }
    assert found == there


def test_a_changed_app_leaves_the_part_with_the_dependencies(tmp_path):
    noise = {"vendor/noise.bin": os.urandom(300_000)}
    one = packed(bundled(tmp_path / "one", noise), tmp_path / "p1")
    same = packed(bundled(tmp_path / "two", noise), tmp_path / "p2")
    changed = bundled(tmp_path / "three", {**noise, "app/src/one.py": b"changed"})
    other = packed(changed, tmp_path / "p3")
    assert [part.sha for part in one] == [part.sha for part in same]
    assert [part.sha for part in one][:-1] == [part.sha for part in other][:-1]
    assert one[-1].sha != other[-1].sha
    assert one[0].size > 300_000 and one[-1].size < 10_000
    assert [part.name for part in one][:2] == [f".vercel/source.tgz.part{n}" for n in (1, 2)]
    assert joined(other, tmp_path / "all.tgz")[f"{FUNCTION}/app/src/one.py"] == b"changed"


def test_a_large_file_of_the_app_is_not_sent_with_its_code(tmp_path):
    data = {"app/data.bin": os.urandom(200_000)}
    one = packed(bundled(tmp_path / "one", data), tmp_path / "p1")
    changed = bundled(tmp_path / "two", {**data, "app/src/one.py": b"changed"})
    known = {part.sha for part in one}
    sent = [part.size for part in packed(changed, tmp_path / "p2") if part.sha not in known]
    assert sum(sent) < 10_000


def test_a_large_archive_is_cut_into_more_parts(tmp_path, monkeypatch):
    from mastra_deployer_vercel.deploy import archive

    monkeypatch.setattr(archive, "_PART", 3_000_000)
    bundle = bundled(tmp_path, {"vendor/noise.bin": os.urandom(7_000_000)})
    parts = packed(bundle, tmp_path / "parts")
    assert len(parts) >= 4 and all(part.size < 3_100_000 for part in parts)
    found = joined(parts, tmp_path / "all.tgz")
    assert len(found[f"{FUNCTION}/vendor/noise.bin"]) == 7_000_000


@pytest.mark.slow
def test_a_bundle_is_the_same_wherever_it_is_made(tmp_path, mastra):
    shas = []
    for name in ("one", "two"):
        root = write_project(tmp_path / name / "app", {INDEX: ECHO})
        mastra("bundle", "vercel", "-s", "project_name=shop", "--python", "3.12", cwd=root).ok()
        made = Bundle.load(root / ".mastra-local/bundles/vercel")
        shas.append([part.sha for part in packed(made, tmp_path / name / "parts")])
        assert not find_text(made.directory, str(tmp_path))
    assert shas[0] == shas[1]


@pytest.mark.slow
def test_a_dependency_without_a_linux_wheel_is_named(tmp_path, mastra):
    root = write_project(
        tmp_path, {INDEX: ECHO}, dependencies=("mastra-core", "pywin32; sys_platform != 'x'")
    )
    done = mastra("bundle", "vercel", "-s", "project_name=shop", "--python", "3.12", cwd=root)
    done.failed(4, "pywin32")
