"""Read the environment variables of OpenTelemetry that choose exporter, protocol and sampler."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("read_exporter", "read_protocol", "read_sampling")

_EXPORTERS = ("otlp", "console", "none")
_PROTOCOLS = ("http/protobuf", "grpc")
_RATIOS = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: dict[str, dict[str, Any]] = {
    "always_on": {"type": "always_on"},
    "always_off": {"type": "always_off"},
    "traceidratio": {"type": "ratio"},
    "parentbased_always_on": {"type": "parent_based", "trust_callers": True},
    "parentbased_always_off": {"type": "parent_based", "probability": 0, "trust_callers": True},
    "parentbased_traceidratio": {"type": "parent_based", "trust_callers": True},
}


def read_exporter(default: str) -> str:
    """Return the type of the exporter: ``otlp``, ``console`` or ``none``.

    :param default: the type where ``OTEL_TRACES_EXPORTER`` is not set.
    :raises ConfigError: for an unknown type.
    """
    return _read_choice("OTEL_TRACES_EXPORTER", _EXPORTERS) or default


def read_protocol(default: str) -> str:
    """Return the protocol of the OTLP exporter: ``http/protobuf`` or ``grpc``.

    :param default: the protocol where no variable is set.
    :raises ConfigError: for an unknown protocol.
    """
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    found = [_read_choice(name, _PROTOCOLS) for name in names]
    return next(filter(None, found), default)


def read_sampling(default: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the sampling in the form of ``Telemetry(sampling=...)``.

    :param default: the sampling where ``OTEL_TRACES_SAMPLER`` is not set.
    :raises ConfigError: for an unknown sampler, or an argument that is no probability.
    """
    name = _read_choice("OTEL_TRACES_SAMPLER", tuple(_SAMPLERS))
    if not name:
        return default
    sampling = _SAMPLERS[name]
    return {**sampling, "probability": _read_ratio()} if name in _RATIOS else sampling


def _read_choice(variable: str, choices: tuple[str, ...]) -> str:
    value = os.environ.get(variable, "").strip()
    if value and value not in choices:
        raise ConfigError(
            f"The value {value!r} of {variable} is not supported.", f"Use {', '.join(choices)}."
        )
    return value


def _read_ratio() -> float:
    value = os.environ.get("OTEL_TRACES_SAMPLER_ARG") or "1"
    try:
        ratio = float(value)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ConfigError(
            f"The value {value!r} of OTEL_TRACES_SAMPLER_ARG is not a probability.",
            "Use a number from 0 to 1.",
        )
    return ratio
