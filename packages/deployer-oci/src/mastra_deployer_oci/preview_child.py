"""Start a program in an image: ``python preview_child.py ROOT USER DIRECTORY COMMAND...``.

``ROOT`` becomes the root directory of the process. ``USER`` is the numeric user and group that the
process gets.
"""

from __future__ import annotations

import os
import sys

__all__ = ()


def _main(root: str, user: str, directory: str, *command: str) -> None:
    os.chroot(root)
    number, _, group = user.partition(":")
    os.setgroups([])
    os.setgid(int(group or number))
    os.setuid(int(number))
    os.chdir(directory)
    os.execv(command[0], command)  # noqa: S606  # the program of the image


if __name__ == "__main__":
    _main(*sys.argv[1:])
