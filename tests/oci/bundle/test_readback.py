"""Images are read by other tools, and run without any mastra tool."""

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.oci.base_images import make_layer, push_base
from tests.oci.registries import find_free_port, find_program, run_skopeo, unpack_image

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
SERVING = re.compile(r"Serving .* on http://\S+:(\d+)")


def require_root():
    if os.geteuid() != 0:  # in CI, .ci/run runs as root
        pytest.skip("changing the root needs root")


@contextlib.contextmanager
def run_image(rootfs, config, **environment):
    """Run the image's command in its root as its user; yield a client for it."""
    values = dict(item.split("=", 1) for item in config["Env"])
    values |= {"PORT": str(find_free_port()), "HOST": "127.0.0.1", **environment}
    process = subprocess.Popen(
        [find_program("unshare"), "--mount", find_program("chroot"), f"--userspec={config['User']}"]
        + [str(rootfs), *config["Cmd"]],
        env=values,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if match := SERVING.search(line):
                break
        else:
            pytest.fail("".join(lines))
        url = f"http://127.0.0.1:{match[1]}"
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            client.values = values
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stderr.close()


def fetch_config(host, tag="latest"):
    """Return the full config; skopeo omits the health check."""
    root = f"http://{host}/v2/team/app"
    accept = {"accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = httpx.get(f"{root}/manifests/{tag}", headers=accept, trust_env=False).json()
    return httpx.get(f"{root}/blobs/{manifest['config']['digest']}", trust_env=False).json()


def generate(client, text="hi"):
    response = client.post("/api/agents/echo/generate", json={"messages": text})
    return response.json()["text"]


def run_health_check(rootfs, config, environment):
    command = config["Healthcheck"]["Test"][1:]
    return subprocess.run(
        [find_program("chroot"), f"--userspec={config['User']}", str(rootfs), *command],
        env=environment,
        check=False,
        capture_output=True,
    ).returncode


def test_image_without_a_base_runs(registry, oci, bundle, tmp_path):
    require_root()
    oci(registry.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    rootfs = unpack_image(f"{registry.host}/team/app:latest", tmp_path)
    config = fetch_config(registry.host)["config"]
    assert config["User"] == "65532:65532" and config["StopSignal"] == "SIGTERM"
    assert config["ExposedPorts"] == {"3000/tcp": {}} and "PORT=3000" in config["Env"]
    with run_image(rootfs, config) as client:
        assert client.get("/health").json() == {"success": True}
        assert generate(client) == "echo: hi"
        assert run_health_check(rootfs, config, client.values) == 0
        values = client.values
    assert run_health_check(rootfs, config, values) == 1, "the app no longer serves"
    code = "import bz2, ctypes, lzma, sqlite3, ssl, uuid, zlib; ssl.create_default_context()"
    command = [find_program("chroot"), str(rootfs), config["Cmd"][0], "-c", code]
    subprocess.run(command, env=values, check=True)
    assert {path.stat().st_uid for path in rootfs.rglob("*") if not path.is_symlink()} == {0}


def test_image_on_a_base_runs(proxy, registry, oci, bundle, project, echo, tmp_path):  # fixtures
    """The base is built from the interpreter layer of another image, in Docker's format."""
    require_root()
    parts = json.loads((bundle / "mastra-image.json").read_bytes())
    content = (bundle / "blobs/sha256" / parts["layers"][0]["digest"][7:]).read_bytes()
    layers = ((content, gzip.decompress(content)), make_layer({"etc/base": b"of the base\n"}))
    push_base(
        registry.host, "base/python", "both", {"amd64": {"Labels": {"a": "b"}}}, layers=layers
    )
    base = f"{proxy.host}/base/python:both"
    run = oci(proxy.host, base=base)
    root = project({INDEX: echo})
    run("deploy", "--prod", cwd=root).ok()
    mounts = [path for path in proxy.list_paths("POST") if "mount=" in path]
    assert len(mounts) == 2 and all("from=base%2Fpython" in path for path in mounts)
    sizes = [size for method, _, size in proxy.requests if method in ("PATCH", "PUT")]
    assert proxy.count_blob_bytes() < 12_000_000 and max(sizes) < len(content), (
        "layers of the base are not sent"
    )
    document = fetch_config(proxy.host)
    config = document["config"]
    assert config["Labels"]["a"] == "b" and "OF_BASE=yes" in config["Env"]
    assert len(document["rootfs"]["diff_ids"]) == 4 == len(document["history"])
    rootfs = unpack_image(f"{proxy.host}/team/app:latest", tmp_path)
    assert (rootfs / "etc/base").read_text() == "of the base\n"
    config["Cmd"][0] = "/usr/local/bin/python"  # chroot looks a name up before it changes the root
    with run_image(rootfs, config) as client:
        assert generate(client) == "echo: hi"


def test_base_is_copied_from_another_registry(start, oci, project, echo):
    source, target = start(), start()
    push_base(source.host, "base/python", "both", {"amd64": {}})
    root = project({INDEX: echo})
    run = oci(target.host, base=f"{source.host}/base/python:both")
    run("deploy", "--prod", cwd=root).ok()
    raw = json.loads(
        run_skopeo(
            "inspect", "--raw", "--tls-verify=false", f"docker://{target.host}/team/app:latest"
        )
    )
    assert raw["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert raw["annotations"]["org.opencontainers.image.base.name"].endswith("python:both")
    assert raw["layers"][0]["digest"][7:] in target.list_blobs()


def test_missing_base_and_base_for_another_architecture(registry, oci, project, echo):
    root = project({INDEX: echo})
    push_base(registry.host, "base/python", "arm", {"arm64": {}})
    missing = f"{registry.host}/base/python:gone"
    oci(registry.host, base=missing)("deploy", cwd=root).failed(6, "does not exist", "base=")
    arm = f"{registry.host}/base/python:arm"
    oci(registry.host, base=arm)("deploy", cwd=root).failed(6, "not for linux/amd64", "arm64")


def test_bundle_is_an_image_layout(bundle, tmp_path):
    image = json.loads(run_skopeo("inspect", f"oci:{bundle}:latest"))
    assert len(image["Layers"]) == 3 and image["Labels"]["mastra.entry"] == "mastra.index:mastra"
    root = tmp_path / "unpacked"
    subprocess.run(
        [find_program("umoci"), "unpack", "--rootless", "--image", f"{bundle}:latest", str(root)],
        check=True,
        capture_output=True,
    )
    sbom = json.loads((root / "rootfs" / "app" / "mastra-sbom.json").read_bytes())
    assert "uvicorn" in {item["name"] for item in sbom["components"]}


@pytest.mark.full
def test_preview_of_an_image_on_a_base_runs_with_this_python(mastra, project, echo, tmp_path):
    """The acceptance suite covers an image with all layers, which runs in its own root."""
    directory, root = tmp_path / "out", project({INDEX: echo})
    settings = ["-simage=registry.example/team/app"]
    mastra("bundle", "oci", *settings, "-o", directory, cwd=root).ok()
    with run_preview(directory, tmp_path) as (client, lines):
        assert generate(client) == "echo: hi"
    notice = "outside the image's root directory"
    assert any(notice in line for line in lines), lines


@pytest.mark.full
def test_preview_finds_the_python_versions_of_pyenv(mastra, project, echo, tmp_path, find_python):
    """pyenv's shims are programs on PATH that fail unless a version is chosen."""
    version = "3.13" if sys.version_info[:2] == (3, 12) else "3.12"
    shim = tmp_path / "pyenv" / "shims" / f"python{version}"
    installed = tmp_path / "pyenv" / "versions" / f"{version}.0" / "bin" / "python"
    for path in (shim, installed):
        path.parent.mkdir(parents=True)
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    installed.symlink_to(find_python(version))
    root, directory = project({INDEX: echo}), tmp_path / "out"
    options = ["-simage=registry.example/team/app", "--python", version, "-o", directory]
    mastra("bundle", "oci", *options, cwd=root).ok()
    environment = {
        **os.environ,
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
    }
    with run_preview(directory, tmp_path, environment) as (client, lines):
        assert generate(client) == "echo: hi"
    assert any(str(installed) in line or find_python(version) in line for line in lines), lines


@contextlib.contextmanager
def run_preview(directory, cwd, environment=None):
    """Run `mastra preview oci` until it serves; yield a client and the lines it has printed."""
    port = find_free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("mastra"),
            *("preview", "oci", "-simage=registry.example/team/app"),
            *("--prebuilt", str(directory), "--host", "127.0.0.1", "--port", str(port)),
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment,
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if SERVING.search(line):
                break
        else:
            pytest.fail("".join(lines))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client, lines
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stderr.close()
