"""Convert errors of PostgreSQL and of its driver to errors with a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import StorageError

if TYPE_CHECKING:
    from psycopg import Error

__all__ = ("is_connection_lost", "to_storage_error")

_RESTARTING = (
    "{source} is starting or stopping.",
    "Send the request again when the server is running. This request has stored nothing.",
)
_LOST = (
    "The connection to {source} was lost.",
    "Send the request again. Its last change may or may not be stored.",
)
_PASSWORD = (
    "{source} has refused the user or the password.",
    "Correct the user and the password in the URL. Write special characters as %40 (@), %2F (/).",
)
_NO_DATABASE = (
    "{source} does not exist on the server.",
    "Create it with `createdb`, or correct its name in the URL.",
)
_TOO_MANY = (
    "{source} has no free connections.",
    "Raise the server's max_connections. Or use fewer workers or a smaller max_connections=...",
)
_MESSAGES = {  # by the code of PostgreSQL
    "28": _PASSWORD,
    "3D000": _NO_DATABASE,
    "53100": (
        "The disk of {source} is full.",
        "Free some space on the disk of the server. The stored data is intact.",
    ),
    "53200": ("{source} is out of memory.", "Give the server more memory, or use fewer workers."),
    "53300": _TOO_MANY,
    "54": (
        "A value is too long for {source}: {error}.",
        "Use an id of at most 2,000 characters, and smaller messages.",
    ),
    "57P": _RESTARTING,
    "57014": (
        "{source} took too long.",
        "Read or write less in one request, or raise the server's statement_timeout.",
    ),
    "25006": (
        "{source} is read-only.",
        "Use the URL of the primary server, and not that of a replica.",
    ),
    "42501": (
        "{source} does not allow a change: {error}.",
        "Grant the user the rights to create and change tables of the schema, or let the owner run "
        "`mastra db migrate`.",
    ),
    "08": _LOST,
    "25P03": _LOST,
}
# A server refuses a connection before it has sent a code to the driver.
_TEXTS = {
    "password authentication failed": _PASSWORD,
    "no password supplied": _PASSWORD,
    "no pg_hba.conf entry": _PASSWORD,
    "role ": _PASSWORD,
    "database ": _NO_DATABASE,
    "too many clients": _TOO_MANY,
    "remaining connection slots": _TOO_MANY,
    "the database system is": _RESTARTING,
}
_UNREACHABLE_HINT = (
    "Start the server, or correct the host and the port in the URL. Check the firewall."
)


def to_storage_error(error: Error, source: str, *, may_be_stored: bool = False) -> StorageError:
    """Convert an error of the driver to a ``StorageError`` with a hint.

    :param error: the error.
    :param source: the URL of the database without its user, password and options.
    :param may_be_stored: whether the error ended a commit. If the server stopped during the commit,
        nobody knows whether the changes are stored.
    """
    name = f"The database {source!r}"
    is_uncertain = may_be_stored and is_connection_lost(error)
    message, hint = _LOST if is_uncertain else _find_message(error)
    text = _get_first_line(error)
    return StorageError(message.format(source=name, error=text), hint)


def is_connection_lost(error: Error) -> bool:
    """Return whether an error says that the connection has ended.

    :param error: the error.
    """
    from psycopg import InterfaceError, OperationalError

    if error.sqlstate is None:
        return isinstance(error, InterfaceError | OperationalError)
    return error.sqlstate.startswith(("08", "25P03", "57P"))


def _find_message(error: Error) -> tuple[str, str]:
    from psycopg import InterfaceError, OperationalError

    code = error.sqlstate or ""
    for prefix, message in _MESSAGES.items():
        if code.startswith(prefix):
            return message
    if code or not isinstance(error, OperationalError | InterfaceError):
        return (
            "{source} has refused a statement: {error}.",
            "Update mastra-core, or report the error.",
        )
    text = str(error)
    if "FATAL:" in text:
        reason = text.partition("FATAL:")[2]
        for part, message in _TEXTS.items():
            if part in reason:
                return message
    return ("{source} cannot be reached: {error}.", _UNREACHABLE_HINT)


def _get_first_line(error: Error) -> str:
    text = getattr(error.diag, "message_primary", None) or str(error).strip() or "no reason"
    return str(text).splitlines()[0].rstrip(".")
