"""Compile modules in the target's Python, and describe each finished file.

stdin: JSON: whether to compile, whether to make files read-only, and a directory and a name below
it for each file. stdout: JSON: directory, name, size, time, SHA-256 and whether it is executable,
for each file that then exists.
"""

import errno
import gc
import hashlib
import importlib.util
import json
import marshal
import os
import stat
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

BLOCK = 1 << 20
FILE_ERROR = 3  # a file could not be read or written: stdout has number, message and file
MIN_PARALLEL_FILES = 64  # for fewer files, a second process costs more than it saves
UNCHECKED = (0b01).to_bytes(4, "little")  # based on a hash, which import does not check


def finish_file(compiling, protecting, pair):
    """Compile a file if it is a module, and describe the resulting files."""
    root, name = pair
    digests = {}
    if compiling and name.endswith(".py"):
        source = read_file(f"{root}/{name}")
        digests[name] = hashlib.sha256(source).hexdigest()
        code = compile_module(source, name)
        bytecode_name = code and write_bytecode(root, name, code)
        if bytecode_name:
            digests[bytecode_name] = hashlib.sha256(code).hexdigest()
    else:
        digests[name] = hash_file(f"{root}/{name}")
    return [describe_file(root, name, sha256, protecting) for name, sha256 in digests.items()]


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def hash_file(path):
    """Hash a file in parts, because it may be larger than the memory."""
    result = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            result.update(block)
    return result.hexdigest()


def compile_module(source, name):
    # A file that does not compile is no error here: some packages ship templates and code for
    # other versions of Python.
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def write_bytecode(root, name, code):
    """Write bytecode and return the name of its file; ``None`` if the name would be too long."""
    bytecode_name = importlib.util.cache_from_source(name)
    try:
        os.makedirs(os.path.dirname(f"{root}/{bytecode_name}"), exist_ok=True)
        with open(f"{root}/{bytecode_name}", "wb") as file:
            file.write(code)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise OSError(error.errno, error.strerror, f"{root}/{bytecode_name}") from None
    return bytecode_name


def describe_file(root, name, sha256, protecting):
    path = f"{root}/{name}"
    status = os.stat(path)
    executable = bool(status.st_mode & stat.S_IXUSR)
    if protecting and os.name == "posix":
        os.chmod(path, 0o555 if executable else 0o444)  # bundles contain hard links to it
    return root, name, status.st_size, status.st_mtime_ns, sha256, executable


def main(compiling, protecting, pairs):
    job = partial(finish_file, compiling, protecting)
    if len(pairs) < MIN_PARALLEL_FILES or (os.cpu_count() or 1) < 2:  # noqa: PLR2004  # needs two cores
        gc.disable()
        return [item for pair in pairs for item in job(pair)]
    # Code objects have no reference cycles, and the search for them takes a fifth of the time.
    with ProcessPoolExecutor(initializer=gc.disable) as pool:
        return [item for files in pool.map(job, pairs, chunksize=16) for item in files]


if __name__ == "__main__":
    try:
        result = main(*json.load(sys.stdin))
    except OSError as error:
        result = [error.errno, error.strerror, error.filename]
        code = FILE_ERROR
    else:
        code = 0
    json.dump(result, sys.stdout)
    sys.exit(code)
