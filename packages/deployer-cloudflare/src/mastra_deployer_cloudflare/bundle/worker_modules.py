"""Read and write the layout of a bundle: the modules of the Worker and how they are run.

    modules/      every file that is uploaded; its path below modules/ is the name of the module
    worker.json   the main module, the compatibility date and flags, and the handlers

The deploy and the preview read no other files of the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mastra_core.errors import BundleError
from mastra_core.pipeline.file_tree import iter_files

__all__ = (
    "MODULES",
    "WorkerConfig",
    "WorkerModule",
    "iter_modules",
    "read_worker_config",
    "write_worker_config",
)

MODULES = "modules"
_CONFIG = "worker.json"
_VENDOR = "python_modules/"
_SDK = "python_modules/workers/"  # the only vendored directory with modules in JavaScript
_PYTHON = "text/x-python"
_JAVASCRIPT = "application/javascript+module"
_DATA = "application/octet-stream"
_HINT = "Bundle again: mastra bundle cloudflare."


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings with which Cloudflare runs the modules of a bundle.

    :param main: name of the main module, which is not in a directory.
    :param compatibility_date: the date that selects the behavior of Cloudflare's runtime.
    :param compatibility_flags: flags that switch features of the runtime on or off.
    :param handlers: what the main module handles: ``fetch``, and ``scheduled`` for crons.
    :param types: content types of modules whose type does not follow from their name.
    """

    main: str
    compatibility_date: str
    compatibility_flags: tuple[str, ...] = ("python_workers",)
    handlers: tuple[str, ...] = ("fetch",)
    types: dict[str, str] = {}


class WorkerModule(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is uploaded.

    :param name: POSIX path below ``modules/``.
    :param path: the file.
    :param type: content type of the module.
    """

    name: str
    path: Path
    type: str


def write_worker_config(directory: Path, config: WorkerConfig) -> None:
    """Write ``worker.json``.

    :param directory: the directory of the bundle.
    :param config: how Cloudflare runs the modules.
    """
    text = msgspec.json.format(msgspec.json.encode(config, order="sorted"), indent=2)
    (directory / _CONFIG).write_bytes(text + b"\n")


def read_worker_config(directory: Path) -> WorkerConfig:
    """Read ``worker.json``.

    :param directory: the directory of the bundle.
    :raises BundleError: when the configuration is missing or invalid, or the main module is
        missing.
    """
    try:
        config = msgspec.json.decode((directory / _CONFIG).read_bytes(), type=WorkerConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(
            f"The file {_CONFIG} in the bundle is missing or invalid: {error}.", _HINT
        ) from None
    if not (directory / MODULES / config.main).is_file():
        raise BundleError(f"The main module {config.main!r} is missing in the bundle.", _HINT)
    return config


def iter_modules(directory: Path, config: WorkerConfig) -> Iterator[WorkerModule]:
    """Yield every file that is uploaded: the main module first, the others sorted by name.

    :param directory: the directory of the bundle.
    :param config: how Cloudflare runs the modules.
    """
    root = directory / MODULES
    names = {name for name, entry in iter_files(root) if entry.is_file()}
    for name in (config.main, *sorted(names - {config.main})):
        kind = config.types.get(name) or _find_type(name)
        yield WorkerModule(name=name, path=root / name, type=kind)


def _find_type(name: str) -> str:
    """Return the content type with which wrangler sends a module."""
    if name.startswith(_SDK) and name.endswith((".js", ".mjs")):
        return _JAVASCRIPT
    return _PYTHON if name.endswith(".py") and not name.startswith(_VENDOR) else _DATA
