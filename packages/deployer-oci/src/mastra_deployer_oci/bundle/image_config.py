"""Build the app's part of the image config, which says how its containers run."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import BundleManifest
from mastra_deployer_oci.bundle.interpreter_layer import PREFIX
from mastra_deployer_oci.bundle.layers import Layer
from mastra_deployer_oci.settings import SCRATCH, OciDeployer

__all__ = ("HOME", "build_image_config", "find_image_python")

HOME = "app"  # directory of the app; layers name paths without a leading slash
_SECOND = 1_000_000_000  # nanoseconds, the unit of image configs
_HEALTH = """\
import os, urllib.error as e, urllib.request as r
try:
    r.build_opener(r.ProxyHandler({{}})).open(
        "http://127.0.0.1:" + os.environ["PORT"] + {path!r}, timeout=4)
except e.HTTPError as error:
    raise SystemExit(error.code >= 500)
"""


def build_image_config(
    settings: OciDeployer, manifest: BundleManifest, architecture: str, layers: Sequence[Layer]
) -> dict[str, Any]:
    """Return the config of an image that consists of the given layers only.

    :param settings: settings of the deployer.
    :param manifest: manifest of the bundle.
    :param architecture: architecture of the image, ``amd64`` or ``arm64``.
    :param layers: the layers, the lowest first.
    :returns: the config, as the OCI image specification defines it.
    """
    created = _read_created()
    return {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": _build_container(settings, manifest),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff for layer in layers]},
        "history": [
            {"created": created, "created_by": "mastra-deployer-oci", "comment": layer.purpose}
            for layer in layers
        ],
    }


def _build_container(settings: OciDeployer, manifest: BundleManifest) -> dict[str, Any]:
    port = settings.port or manifest.serve.port
    python = find_image_python(settings)
    container: dict[str, Any] = {
        "User": settings.user,
        "WorkingDir": f"/{HOME}",
        "Env": _build_environment(settings, port),
        "ExposedPorts": {f"{port}/tcp": {}},
        "Cmd": [python, f"/{HOME}/index.py"],
        "StopSignal": "SIGTERM",
        "Labels": _build_labels(settings, manifest),
    }
    if settings.health:
        container["Healthcheck"] = {
            "Test": ["CMD", python, "-I", "-c", _HEALTH.format(path=settings.health)],
            "Interval": 30 * _SECOND,
            "Timeout": 5 * _SECOND,
            "StartPeriod": 10 * _SECOND,
            "Retries": 3,
        }
    return container


def find_image_python(settings: OciDeployer) -> str:
    """Return the command that starts Python in the image.

    :param settings: settings of the deployer.
    """
    return f"/{PREFIX}/bin/python" if settings.base == SCRATCH else settings.python


def _build_environment(settings: OciDeployer, port: int) -> list[str]:
    values = {
        "PORT": str(port),
        "HOST": "0.0.0.0",  # noqa: S104  # a container that listens on loopback is unreachable
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    if settings.base == SCRATCH:
        values = {
            "PATH": f"/{PREFIX}/bin:/usr/bin:/bin",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            "LANG": "C.UTF-8",
            **values,
        }
    return [f"{name}={value}" for name, value in values.items()]


def _build_labels(settings: OciDeployer, manifest: BundleManifest) -> dict[str, str]:
    """Build labels with the names of the app's variables, but never with their values."""
    labels = {
        "org.opencontainers.image.title": (settings.image or "").rpartition("/")[2],
        "mastra.entry": manifest.entry,
        "mastra.python": manifest.python,
        "mastra.sbom": f"/{HOME}/mastra-sbom.json",
        "mastra.env.required": ",".join(manifest.required),
        "mastra.env.optional": ",".join(manifest.optional),
        **{f"mastra.version.{name}": text for name, text in manifest.versions.items()},
        **settings.labels,
    }
    return {name: text for name, text in labels.items() if text}


def _read_created() -> str:
    """Return 1970 or ``SOURCE_DATE_EPOCH``, because the current time would change every image."""
    text = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    try:
        created = dt.datetime.fromtimestamp(int(text), dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is not a valid time: {text!r}.",
            "Set SOURCE_DATE_EPOCH to seconds since 1970, or unset it.",
        ) from None
    return created.strftime("%Y-%m-%dT%H:%M:%SZ")
