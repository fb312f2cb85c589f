"""Decide which requests and runs are traced, before their traces cost anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.telemetry.setting_keys import check_keys

__all__ = ("Sampling", "unsampled_headers")

_KEYS = ("type", "probability", "trust_callers")
_TYPES = ("always_on", "always_off", "ratio", "parent_based")

unsampled_headers: ContextVar[Sequence[tuple[bytes, bytes]] | None] = ContextVar(
    "unsampled_headers", default=None
)
"""The headers of the current request, if the request is not sampled; otherwise ``None``.

For a run outside of a request that is not sampled, the headers are empty.
"""


class Sampling:
    """The share of the requests and runs that are traced.

    :param settings: the mapping of ``Telemetry(sampling=...)``.
    :raises ConfigError: for an unknown type or key, or an invalid probability.
    """

    __slots__ = ("_draw", "probability", "trusts_callers")

    def __init__(self, settings: Any) -> None:
        kind = settings.get("type") if isinstance(settings, Mapping) else settings
        if not isinstance(settings, Mapping) or kind not in _TYPES:
            raise ConfigError(
                f"The telemetry sampling type {kind!r} does not exist.",
                f'Write sampling={{"type": ...}} with {", ".join(_TYPES)}.',
            )
        check_keys("sampling", settings, _KEYS)
        check_types(settings, {"trust_callers": "bool"})
        from random import random  # takes long to import, and most processes sample nothing

        self._draw = random
        self.probability = _parse_probability(settings)
        if kind in ("always_on", "always_off"):
            self.probability = float(kind == "always_on")
        self.trusts_callers = kind == "parent_based" and settings.get("trust_callers") is True

    @property
    def is_off(self) -> bool:
        """Whether the sampling excludes every trace."""
        return self.probability == 0 and not self.trusts_callers

    def decide(self) -> bool:
        """Return whether to sample a new trace."""
        return self.probability == 1 or self._draw() < self.probability

    def decide_for_parent(self, is_sampled: bool) -> bool:
        """Return whether to sample a span whose parent span this library did not start.

        :param is_sampled: the sampling flag of the parent span.
        """
        return is_sampled or (self.probability == 1 and not self.trusts_callers)


def _parse_probability(settings: Mapping[str, Any]) -> float:
    value = settings.get("probability", 1)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{value!r} is not a sampling probability.", "Use a number from 0 to 1.")
    return float(value)
