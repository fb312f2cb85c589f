"""Read OpenTelemetry's environment variables."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mastra_core.errors import ConfigError
from mastra_core.logs.http_url import parse_http_url
from mastra_core.secret import Secret, reveal_all

__all__ = (
    "OtlpSettings",
    "is_sdk_disabled",
    "read_exporter",
    "read_limit",
    "read_otlp",
    "read_protocol",
    "read_queue",
    "read_record_content",
    "read_sampling",
)

_EXPORTERS = ("otlp", "console", "none")
_PROTOCOLS = ("http/protobuf", "grpc")
_COMPRESSIONS = ("none", "gzip", "deflate")
_RATIOS = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: dict[str, dict[str, Any]] = {
    "always_on": {"type": "always_on"},
    "always_off": {"type": "always_off"},
    "traceidratio": {"type": "ratio"},
    "parentbased_always_on": {"type": "parent_based", "trust_callers": True},
    "parentbased_always_off": {"type": "parent_based", "probability": 0, "trust_callers": True},
    "parentbased_traceidratio": {"type": "parent_based", "trust_callers": True},
}
_PREFIX = "OTEL_EXPORTER_OTLP_"
_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CONTENT_CHOICES = ("true", "false", "NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")
_QUEUE: dict[str, tuple[str, Callable[[float], float]]] = {
    "max_size": ("OTEL_BSP_MAX_QUEUE_SIZE", int),
    "batch_size": ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", int),
    "delay": ("OTEL_BSP_SCHEDULE_DELAY", lambda milliseconds: milliseconds / 1000),
    "timeout": ("OTEL_BSP_EXPORT_TIMEOUT", lambda milliseconds: milliseconds / 1000),
}

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OtlpSettings:
    """The address, the headers and the limits of an OTLP collector.

    :param endpoint: the URL that receives the spans.
    :param headers: headers of each request.
    :param timeout: the time limit of one request, in seconds.
    :param compression: ``none``, ``gzip`` or ``deflate``.
    :param certificate: path of a file with certificate authorities; empty for the usual ones.
    :param client_certificate: paths of the client's certificate and key; ``None`` for none.
    """

    endpoint: str
    headers: Mapping[str, str]
    timeout: float = 10.0
    compression: str = "none"
    certificate: str = ""
    client_certificate: tuple[str, str] | str | None = None


def is_sdk_disabled() -> bool:
    """Return whether ``OTEL_SDK_DISABLED`` is set."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def read_exporter(default: str) -> str:
    """Return the type of the exporter: ``otlp``, ``console`` or ``none``.

    :param default: the type to return if ``OTEL_TRACES_EXPORTER`` is not set.
    :raises ConfigError: for an unknown type.
    """
    return _read_choice("OTEL_TRACES_EXPORTER", _EXPORTERS) or default


def read_protocol(default: str) -> str:
    """Return the protocol of the OTLP exporter: ``http/protobuf`` or ``grpc``.

    :param default: the protocol if no variable is set.
    :raises ConfigError: for an unknown protocol.
    """
    found = [_read_choice(variable, _PROTOCOLS) for variable in _list_variables("PROTOCOL")]
    return next(filter(None, found), default)


def read_sampling(default: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the sampling in the form of ``Telemetry(sampling=...)``.

    :param default: the sampling where ``OTEL_TRACES_SAMPLER`` is not set.
    :raises ConfigError: for an unknown sampler, or an argument that is not a probability.
    """
    name = _read_choice("OTEL_TRACES_SAMPLER", tuple(_SAMPLERS))
    if not name:
        return default
    sampling = _SAMPLERS[name]
    return {**sampling, "probability": _read_ratio()} if name in _RATIOS else sampling


def read_otlp(endpoint: str | None, headers: Mapping[str, str | Secret] | None) -> OtlpSettings:
    """Return the settings of the collector, from the arguments and ``OTEL_EXPORTER_OTLP_*``.

    :param endpoint: the base URL or the traces URL of the collector; overrides the environment
        variables.
    :param headers: overrides the environment variables; a value may be a ``Secret``.
    :raises ConfigError: for an invalid value.
    """
    url = _complete_endpoint(endpoint) if endpoint else _read_endpoint()
    parse_http_url(url, "Telemetry")
    key, certificate = _read_otlp("CLIENT_KEY"), _read_otlp("CLIENT_CERTIFICATE")
    return OtlpSettings(
        endpoint=url,
        headers=reveal_all(headers) if headers else _read_headers(),
        timeout=_read_otlp_timeout(),
        compression=_read_compression(),
        certificate=_read_otlp("CERTIFICATE"),
        client_certificate=(certificate, key) if certificate and key else certificate or None,
    )


def read_queue() -> dict[str, Any]:
    """Return the arguments of ``SpanQueue`` from the variables ``OTEL_BSP_*``.

    :raises ConfigError: for an invalid value.
    """
    found = {name: (_read_number(variable), to) for name, (variable, to) in _QUEUE.items()}
    return {name: to(value) for name, (value, to) in found.items() if value is not None}


def read_limit(*variables: str, default: int | None) -> int | None:
    """Return the first limit that is set.

    :param variables: the variables, the most specific first.
    :param default: the limit if no variable is set; ``None`` for no limit.
    :raises ConfigError: for an invalid value.
    """
    for variable in variables:
        value = _read_number(variable, smallest=0)
        if value is not None:
            return int(value)
    return default


def read_record_content(default: bool) -> bool:
    """Return whether inputs and outputs are exported.

    :param default: the value to return if ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` is
        not set.
    :raises ConfigError: for an unknown value.
    """
    value = _read_choice(_CONTENT, _CONTENT_CHOICES)
    return value in ("true", "SPAN_ONLY", "SPAN_AND_EVENT") if value else default


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


def _read_number(variable: str, smallest: float = 1) -> float | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not smallest <= value < float("inf"):
        raise ConfigError(
            f"The value {text!r} of {variable} is not a number of at least {smallest:g}.",
            f"Use a number of {smallest:g} or more.",
        )
    return value


def _list_variables(name: str) -> tuple[str, str]:
    """Return the names of the variable for traces and of the variable for all signals."""
    return f"{_PREFIX}TRACES_{name}", f"{_PREFIX}{name}"


def _read_otlp(name: str) -> str:
    values = (os.environ.get(variable, "").strip() for variable in _list_variables(name))
    return next(filter(None, values), "")


def _read_otlp_timeout() -> float:
    values = (_read_number(variable, smallest=0.001) for variable in _list_variables("TIMEOUT"))
    return next(filter(None, values), 10.0)


def _read_compression() -> str:
    values = (_read_choice(variable, _COMPRESSIONS) for variable in _list_variables("COMPRESSION"))
    return next(filter(None, values), "none")


def _read_endpoint() -> str:
    if url := os.environ.get(f"{_PREFIX}TRACES_ENDPOINT", "").strip():
        return url
    base = os.environ.get(f"{_PREFIX}ENDPOINT", "").strip() or "http://localhost:4318"
    return base.rstrip("/") + "/v1/traces"


def _complete_endpoint(endpoint: str) -> str:
    """Return the configured endpoint, with the path to which traces are sent."""
    base = endpoint.rstrip("/")
    return endpoint if base.endswith("/v1/traces") else f"{base}/v1/traces"


def _read_headers() -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers

    return dict(parse_env_headers(_read_otlp("HEADERS"), liberal=True))
