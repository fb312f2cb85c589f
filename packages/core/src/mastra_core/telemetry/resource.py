"""Describe this process to collectors: the resource of its spans, logs and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_core.request_scope import is_request_scoped

__all__ = ("build_resource",)


def build_resource(service_name: str, attributes: Mapping[str, Any] | None = None) -> Any:
    """Return the resource of this process, in which the variables of OpenTelemetry have priority.

    On platforms without threads, the SDK's own function cannot be used.

    :param service_name: ``service.name``, unless ``OTEL_SERVICE_NAME`` or
        ``OTEL_RESOURCE_ATTRIBUTES`` has it.
    :param attributes: further attributes.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.version import __version__ as sdk_version

    found = OTELResourceDetector().detect()
    name = found.attributes.get("service.name") or service_name
    own = {**(attributes or {}), "service.name": name}
    if not is_request_scoped():
        return Resource.create(own)
    sdk = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
    }
    return Resource(sdk).merge(found).merge(Resource(own))
