"""Runs in the target's Python: compiles modules, and says what each finished file is.

stdin: JSON, whether to compile, whether to make read-only, and a directory and a name below it
for each file.
stdout: JSON, for each file that is there in the end: directory, name, size, time and SHA-256.
"""

import errno
import gc
import hashlib
import importlib.util
import json
import marshal
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

BLOCK = 1 << 20
FAILED = 3  # the system refused a file: stdout says number, words and file
FEW = 64  # below this a second process costs more than it saves
UNCHECKED = (0b01).to_bytes(4, "little")  # a hash instead of a time, and nobody compares it


def finish(compiling, protecting, pair):
    """Compile a file where it is a module, and describe what is then there."""
    root, name = pair
    digests = {}
    if compiling and name.endswith(".py"):
        source = read(f"{root}/{name}")
        digests[name] = hashlib.sha256(source).hexdigest()
        code = compiled(source, name)
        cached = code and written(root, name, code)
        if cached:
            digests[cached] = hashlib.sha256(code).hexdigest()
    else:
        digests[name] = digest(f"{root}/{name}")
    return [described(root, name, sha256, protecting) for name, sha256 in digests.items()]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def digest(path):
    """Of a file that may be larger than the memory."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def compiled(source, name):
    # A file that does not compile is left for import to complain about: some packages ship
    # templates and code for other versions of Python.
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def written(root, name, code):
    """The name of the file with the bytecode; none where that is longer than names may be."""
    cached = importlib.util.cache_from_source(name)
    try:
        os.makedirs(os.path.dirname(f"{root}/{cached}"), exist_ok=True)
        with open(f"{root}/{cached}", "wb") as file:
            file.write(code)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise OSError(error.errno, error.strerror, f"{root}/{cached}") from None
    return cached


def described(root, name, sha256, protecting):
    path = f"{root}/{name}"
    if protecting and os.name == "posix":
        os.chmod(path, 0o444)  # bundles are made of links to it
    status = os.stat(path)
    return root, name, status.st_size, status.st_mtime_ns, sha256


def main(compiling, protecting, pairs):
    job = partial(finish, compiling, protecting)
    if len(pairs) < FEW or (os.cpu_count() or 1) < 2:  # noqa: PLR2004  # one core gains nothing
        gc.disable()
        return [item for pair in pairs for item in job(pair)]
    # Code has no circles, and looking for them takes a fifth of the time.
    with ProcessPoolExecutor(initializer=gc.disable) as pool:
        return [item for found in pool.map(job, pairs, chunksize=16) for item in found]


if __name__ == "__main__":
    try:
        told = main(*json.load(sys.stdin))
    except OSError as error:
        told = [error.errno, error.strerror, error.filename]
        code = FAILED
    else:
        code = 0
    json.dump(told, sys.stdout)
    sys.exit(code)
