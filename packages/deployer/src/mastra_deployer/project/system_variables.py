"""Select the environment variables that every process needs; they contain no user data."""

from __future__ import annotations

import os

__all__ = ("read_system_variables",)

# On Windows, Python needs these variables for the kind of machine, directories and randomness.
_WINDOWS = (
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP"),
    *("PROCESSOR_ARCHITECTURE", "PROCESSOR_ARCHITEW6432", "PROCESSOR_IDENTIFIER"),
    *("NUMBER_OF_PROCESSORS", "USERPROFILE", "HOMEDRIVE", "HOMEPATH"),
    *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
)


def read_system_variables() -> dict[str, str]:
    """Return the variables of this process that the system sets for every process."""
    return {name: os.environ[name] for name in ("PATH", *_WINDOWS) if name in os.environ}
