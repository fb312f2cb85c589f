"""Runs in the target's Python: compiles modules, and says what each finished file is.

stdin: JSON, whether to compile, whether to make read-only, and a directory and a name below it
for each file.
stdout: JSON, for each file that is there in the end: directory, name, size, time and SHA-256.
"""

import gc
import hashlib
import importlib.util
import json
import marshal
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

FEW = 64  # below this a second process costs more than it saves
UNCHECKED = (0b01).to_bytes(4, "little")  # a hash instead of a time, and nobody compares it


def finish(compiling, protecting, pair):
    """Compile a file where it is a module, and describe what is then there."""
    root, name = pair
    with open(f"{root}/{name}", "rb") as file:
        contents = {name: file.read()}
    code = compiled(contents[name], name) if compiling and name.endswith(".py") else None
    if code is not None:
        contents[written(root, name, code)] = code
    return [described(root, name, content, protecting) for name, content in contents.items()]


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
    cached = importlib.util.cache_from_source(name)
    os.makedirs(os.path.dirname(f"{root}/{cached}"), exist_ok=True)
    with open(f"{root}/{cached}", "wb") as file:
        file.write(code)
    return cached


def described(root, name, content, protecting):
    path = f"{root}/{name}"
    if protecting and os.name == "posix":
        os.chmod(path, 0o444)  # bundles are made of links to it
    status = os.stat(path)
    return root, name, status.st_size, status.st_mtime_ns, hashlib.sha256(content).hexdigest()


def main(compiling, protecting, pairs):
    job = partial(finish, compiling, protecting)
    if len(pairs) < FEW or (os.cpu_count() or 1) < 2:  # noqa: PLR2004  # one core gains nothing
        gc.disable()
        return [item for pair in pairs for item in job(pair)]
    # Code has no circles, and looking for them takes a fifth of the time.
    with ProcessPoolExecutor(initializer=gc.disable) as pool:
        return [item for found in pool.map(job, pairs, chunksize=16) for item in found]


if __name__ == "__main__":
    json.dump(main(*json.load(sys.stdin)), sys.stdout)
