"""The log: the fields of its lines, their masking, and the transports that write lines."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra_core.logs.file_transport import FileTransport
    from mastra_core.logs.http_transport import HttpTransport
    from mastra_core.logs.log_fields import bind_log_fields
    from mastra_core.logs.otlp_transport import OtlpTransport
    from mastra_core.logs.transport import LinesLost, LogTransport

__all__ = (
    "FileTransport",
    "HttpTransport",
    "LinesLost",
    "LogTransport",
    "OtlpTransport",
    "bind_log_fields",
)

_MODULES = {
    "FileTransport": "mastra_core.logs.file_transport",
    "HttpTransport": "mastra_core.logs.http_transport",
    "LinesLost": "mastra_core.logs.transport",
    "LogTransport": "mastra_core.logs.transport",
    "OtlpTransport": "mastra_core.logs.otlp_transport",
    "bind_log_fields": "mastra_core.logs.log_fields",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
