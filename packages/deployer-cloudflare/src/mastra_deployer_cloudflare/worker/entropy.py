"""Allow packages to use randomness while they are imported, and renew the values later.

A Worker is imported once, when it is uploaded. All instances start from a snapshot of that import.
Therefore the runtime refuses randomness during the import, except for modules on a list of the
Worker's SDK. This module also allows randomness for the modules in ``_MODULES``, which are not on
that list, and replaces each of their random values before the first request of an isolate.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

__all__ = ("allow_entropy",)

# By module: how often its import asks for randomness, and the values that are made from it.
_MODULES: dict[str, tuple[int, dict[str, Callable[[], Any]]]] = {
    "openai.lib.bedrock": (1, {"_LEGACY_SIGNATURE_KEY": lambda: os.urandom(32)}),
    "fastmcp.telemetry": (1, {}),  # the key of a value in the context, no secret
}


def allow_entropy() -> None:
    """Allow the modules in ``_MODULES`` to use randomness during their import."""
    from _cloudflare.import_patch_manager import (
        register_before_first_request,
        register_exec_patch,
    )

    for name, (calls, values) in _MODULES.items():
        register_exec_patch(name, _make_context(calls))
        register_before_first_request(name, _make_renewal(values))


def _make_context(calls: int) -> Callable[[ModuleType], Any]:
    @contextlib.contextmanager
    def allow(_: ModuleType) -> Iterator[None]:
        from _cloudflare.allow_entropy import (
            allow_bad_entropy_calls,
        )

        try:
            with allow_bad_entropy_calls(calls):
                yield
        except RuntimeError as error:
            # Another version of the package may ask for fewer values.
            if "unexpected leftover getentropy calls" not in str(error):
                raise

    return allow


def _make_renewal(values: dict[str, Callable[[], Any]]) -> Callable[[ModuleType], None]:
    def renew(module: ModuleType) -> None:
        for name, make in values.items():
            if hasattr(module, name):
                setattr(module, name, make())

    return renew
