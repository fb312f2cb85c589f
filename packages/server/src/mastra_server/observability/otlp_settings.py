"""Read which signals besides traces are exported by OTLP, and to which collector."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Literal

from mastra_core import Mastra, Secret
from mastra_core.errors import ConfigError
from mastra_core.request_scope import is_request_scoped

__all__ = ("OtlpSettings", "read_otlp_signal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OtlpSettings:
    """The settings for logs and metrics in ``Telemetry(export=...)`` and ``OTEL_*`` variables.

    :param endpoint: the URL of the collector, without a path for the signal.
    :param headers: headers for the collector; a value may be a ``Secret``.
    :param service_name: the value of OpenTelemetry's resource attribute ``service.name``.
    """

    endpoint: str | None = None
    headers: Mapping[str, str | Secret] | None = None
    service_name: str = "mastra"

    @classmethod
    def of(cls, mastra: Mastra) -> OtlpSettings:
        """Return the settings of an application.

        :param mastra: the application.
        """
        telemetry = mastra.telemetry
        if telemetry is None:
            return cls()
        export = telemetry.export if isinstance(telemetry.export, Mapping) else {}
        endpoint = export.get("endpoint")
        return cls(
            endpoint=endpoint.rstrip("/").removesuffix("/v1/traces") if endpoint else None,
            headers=export.get("headers"),
            service_name=telemetry.service_name,
        )


def read_otlp_signal(signal: Literal["LOGS", "METRICS"]) -> bool:
    """Return whether ``OTEL_LOGS_EXPORTER`` or ``OTEL_METRICS_EXPORTER`` is ``otlp``.

    On platforms without threads nothing is exported.

    :param signal: the signal.
    :raises ConfigError: if the variable has a value other than ``otlp`` and ``none``.
    """
    variable = f"OTEL_{signal}_EXPORTER"
    value = os.environ.get(variable, "").strip() or "none"
    if value not in ("otlp", "none"):
        raise ConfigError(
            f"The environment variable {variable} has the unknown value {value!r}.",
            f"Set {variable} to 'otlp' or 'none'.",
        )
    if is_request_scoped():  # the exporters need threads
        return False
    return value == "otlp" and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
