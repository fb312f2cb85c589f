"""Convert errors of Cloudflare D1 to errors with a hint."""

from __future__ import annotations

from mastra_core.errors import StorageError

__all__ = ("is_missing_table", "is_transient", "to_storage_error")

_RETRY = "Send the request again. D1 has stored nothing."
_UNKNOWN = "Send the request again. D1 may or may not have stored the data."
_LOST = ("The connection to the D1 database {name!r} was lost.", _UNKNOWN)
_RESTARTING = ("The D1 database {name!r} is restarting.", _UNKNOWN)
_TOO_MANY_QUERIES = (
    "A request has sent more queries to the D1 database {name!r} than Cloudflare allows.",
    "Cloudflare allows 1000 queries for each request, and 50 on the free plan. Do less in one "
    "request.",
)
_FULL = (
    "The D1 database {name!r} is full.",
    "Delete old threads, or use a plan with larger databases. The stored data is intact.",
)
_LOCKED, _UNREACHABLE = "SQLITE_BUSY", "transient issue"
_MESSAGES = {  # by a part of D1's message
    "overloaded": (
        "The D1 database {name!r} has too many requests in its queue.",
        "Send the request again later. If this happens often, divide the data among databases.",
    ),
    "Network connection lost": _LOST,
    "client disconnected": _LOST,
    _LOCKED: (  # the local D1 of a preview, which all previews of a project share
        "The D1 database {name!r} was locked by another process for too long.",
        _RETRY,
    ),
    _UNREACHABLE: ("The D1 database {name!r} cannot be reached at the moment.", _RETRY),
    "code was updated": _RESTARTING,
    "exceeded timeout": (
        "The D1 database {name!r} took too long.",
        "Read or write less in one request.",
    ),
    "exceeded its": (
        "A request needs more memory or time than the D1 database {name!r} has.",
        "Read or write less in one request: use a smaller last_messages or perPage.",
    ),
    "caused object to be reset": _RESTARTING,
    "Too many API requests": _TOO_MANY_QUERIES,
    "Too many subrequests": _TOO_MANY_QUERIES,
    "SQLITE_TOOBIG": (
        "A value or statement is too large for the D1 database {name!r}.",
        "D1 stores at most 2 MB in one row. Shorten the message, or store its files elsewhere.",
    ),
    "SQLITE_FULL": _FULL,
    "Exceeded maximum": _FULL,
}


def is_missing_table(error: Exception) -> bool:
    """Return whether a table of mastra does not exist yet.

    :param error: the error of D1.
    """
    return "no such table: mastra_" in str(error)


def is_transient(error: Exception) -> bool:
    """Return whether D1 refused the batch without executing it, so that a retry may succeed.

    :param error: the error of D1.
    """
    text = str(error)
    return _LOCKED in text or _UNREACHABLE in text


def to_storage_error(error: Exception, name: str) -> StorageError:
    """Convert an error of D1 to a ``StorageError`` with a hint.

    :param error: the error of D1.
    :param name: name of the binding.
    """
    text = str(error)
    for part, (message, hint) in _MESSAGES.items():
        if part in text:
            return StorageError(message.format(name=name), hint)
    return StorageError(
        f"The D1 database {name!r} has refused a request: {text}.",
        "Look up the message in Cloudflare's documentation of D1, or report it.",
    )
