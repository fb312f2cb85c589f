"""Run an image on this machine, without a container engine."""

from __future__ import annotations

import os
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from mastra_core.errors import BundleError
from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer_oci import preview_child
from mastra_deployer_oci.bundle.image_config import HOME

__all__ = ("preview",)


def preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Unpack the layers of a bundle, and start the app.

    As root on Linux, the app of an image without a base image runs in its own ``chroot``. On
    another system, as another user, or with a base image, the app runs with an interpreter of this
    machine. The app's working directory is the app's directory in the image.

    :param bundle: the bundle to run.
    :param host: address to listen on.
    :param port: port to listen on; 0 for any free port.
    :param env: environment variables of the app.
    :returns: the exit code of the app; 130 after an interrupt.
    :raises BundleError: when a layer cannot be unpacked.
    :raises ConfigError: when the port is in use, or this machine lacks the Python version.
    """
    from mastra_deployer.kit import ChildProcess, check_port

    values = {name: value.reveal() for name, value in env.items()}
    values |= {"HOST": host, "PORT": str(check_port(host, port))}
    with ChildProcess(Path("/"), read_only=False) as child:
        root = child.temporary / "image"
        root.mkdir()
        _unpack(bundle, root)
        child.start(*_build_process(bundle, root, values), root / HOME)
        return child.wait()


def _build_process(
    bundle: Bundle, root: Path, values: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts the app, and its environment."""
    from mastra_deployer.kit import require_python
    from mastra_deployer_oci.bundle.image_plan import read_plan

    plan = read_plan(bundle.directory)
    container = plan.config["config"]
    environment = {**dict(item.split("=", 1) for item in container["Env"]), **values}
    if not plan.base and sys.platform == "linux" and os.geteuid() == 0:
        user, program = container["User"], [sys.executable, "-ISE", preview_child.__file__]
        _print(f"Running the image in its own root directory, as user {user}.")
        command = [*program, str(root), user, container["WorkingDir"], *container["Cmd"]]
        return command, {"TMPDIR": "/tmp", **environment}  # noqa: S108  # that of the image
    python, app = require_python(bundle.manifest.python), root / HOME
    _print(f"Running the app with {python}, outside the image's root directory.")
    _restore_scripts(app / "bin", bundle.manifest.python)
    host_environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(root)}
    return [python, str(app / "index.py")], {**environment, **host_environment}


def _restore_scripts(directory: Path, version: str) -> None:
    """Replace the path of Python in console scripts, because this machine lacks that path."""
    for file in directory.glob("*"):
        first, _, rest = file.read_bytes().partition(b"\n")
        if not first.startswith(b"#!/usr/bin/env "):
            file.write_bytes(f"#!/usr/bin/env python{version}\n".encode() + rest)


def _unpack(bundle: Bundle, root: Path) -> None:
    from mastra_deployer_oci.bundle.image_plan import BLOBS, read_plan

    for layer in read_plan(bundle.directory).layers:
        path = bundle.directory / BLOBS / layer.digest.removeprefix("sha256:")
        try:
            with tarfile.open(path) as archive:
                archive.extractall(root, filter=_filter_member)  # noqa: S202  # it refuses paths
        except (tarfile.TarError, OSError) as error:
            raise BundleError(
                f"The layer {layer.purpose!r} cannot be unpacked: {error}.",
                "Check the free disk space, or bundle again: mastra bundle oci.",
            ) from None
    root.chmod(0o755)


def _filter_member(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    """Refuse paths outside of the image. Keep file modes, so that every user can write to /tmp."""
    return tarfile.tar_filter(member, path).replace(mode=member.mode & 0o1777, deep=False)


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
