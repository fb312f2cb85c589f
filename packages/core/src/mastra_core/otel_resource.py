"""Describe this process to collectors: the resource of its spans, logs and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ("build_resource",)


def build_resource(
    service_name: str, attributes: Mapping[str, Any] | None = None, *, has_threads: bool = True
) -> Any:
    """Return the resource of this process; the variables of OpenTelemetry have priority.

    :param service_name: ``service.name``, unless ``OTEL_SERVICE_NAME`` or
        ``OTEL_RESOURCE_ATTRIBUTES`` sets it.
    :param attributes: further attributes.
    :param has_threads: whether the platform has threads; without threads, this function does not
        call the SDK's function, which starts threads.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.version import __version__ as sdk_version

    found = OTELResourceDetector().detect()
    name = found.attributes.get("service.name") or service_name
    own = {**(attributes or {}), "service.name": name}
    if not has_threads:
        sdk = {
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
        }
        return Resource(sdk).merge(found).merge(Resource(own))
    return Resource.create(own)
