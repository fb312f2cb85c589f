"""Check the keys of the mappings that ``Telemetry`` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("check_keys",)


def check_keys(setting: str, value: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Check that a mapping has known keys only.

    :param setting: name of the setting.
    :param value: the mapping.
    :param keys: the known keys.
    :raises ConfigError: for an unknown key.
    """
    for key in value:
        if key not in keys:
            raise ConfigError(
                f"The setting {setting} of Telemetry has the unknown key {key!r}.",
                f"Use {', '.join(keys)}.",
            )
