"""Runs in the target's Python: compiles the modules named on stdin below a directory."""

import compileall
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from py_compile import PycInvalidationMode

FEW = 64  # below this a second process costs more than it saves


def compile_one(root, name):
    # A file that does not compile is left for import to complain about: some packages ship
    # templates and code for other versions of Python.
    compileall.compile_file(
        f"{root}/{name}",
        stripdir=root,
        quiet=2,
        force=True,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )


def main(root, names):
    if len(names) < FEW or (os.cpu_count() or 1) < 2:  # noqa: PLR2004  # one core gains nothing
        for name in names:
            compile_one(root, name)
        return
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(compile_one, root), names, chunksize=16))


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
