"""Find the modules that a bundle imports, and compile them, in the target's Python.

stdin: a ``CompileJob`` as JSON. stdout: a ``CompileResult`` as JSON; both are in
``compile_modules.py``.
"""

import contextlib
import errno
import gc
import hashlib
import importlib.util
import json
import marshal
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import import_graph_child

FILE_ERROR = 3  # a file could not be read or written: stdout has number, message and file
MIN_PARALLEL_FILES = 64  # below this a second process costs more than it saves
UNCHECKED = (0b01).to_bytes(4, "little")  # based on a hash, which import does not check


def main(job):
    trees = job["trees"]
    modules = import_graph_child.ModulePlaces([tree["files"] for tree in trees])
    imports = modules.get_imports([tree["imports"] for tree in trees])
    standard = frozenset() if job["library"] else sys.stdlib_module_names
    index = import_graph_child.ModuleIndex(modules.places, modules.extensions, standard)
    with open_pool() as run:
        new = read_imports(job, index, imports, modules, run)
        broken = set() if job["library"] else import_graph_child.find_broken(index, imports)
        walk = follow(job, index, imports, broken)
        imported = [modules.places[name] for name in walk.reached]
        chosen = list_all_files(trees) if job["all"] else imported
        written = compile_files(job, chosen, run)
    reached = group_by_tree(trees, imported)
    return {
        "imports": new,
        "written": written,
        "imported": [sorted(files) for files in reached],
        "standard": sorted(walk.standard),
    }


def follow(job, index, imports, broken):
    walk = import_graph_child.Walk(index, imports, broken, is_library=job["library"])
    for name in job["roots"]:
        walk.add_root(name)
    for number in job["whole"]:
        for name, (tree, _) in index.modules.items():
            if tree == number:
                walk.add(name)
    walk.follow()
    return walk


def read_imports(job, index, imports, modules, run):
    """Read the imports of all modules that the roots reach; return the new ones of each tree."""
    trees = job["trees"]
    new = [{} for _ in trees]
    walk = follow(job, index, imports, frozenset())
    while unknown := walk.follow():
        places = [modules.places[name] for name in unknown]
        arguments = [
            (f"{trees[number]['directory']}/{file}", name, file, trees[number]["own"])
            for name, (number, file) in zip(unknown, places, strict=True)
        ]
        for name, (number, file), found in zip(
            unknown, places, run(read_file_imports, arguments), strict=True
        ):
            imports[name] = new[number][file] = found
    return new


def read_file_imports(path, module, file, is_own):
    import module_imports_child  # most builds have read all imports before

    is_package = file.endswith("__init__.py")
    return module_imports_child.read_module_imports(read_file(path), module, is_package, is_own)


def list_all_files(trees):
    return [
        (number, file)
        for number, tree in enumerate(trees)
        for file in tree["files"]
        if file.endswith(".py")
    ]


def compile_files(job, places, run):
    """Compile files whose bytecode is missing; return a list of names and results for each tree."""
    trees = job["trees"]
    compiled = [set(tree["compiled"]) for tree in trees]
    missing = sorted((number, file) for number, file in places if file not in compiled[number])
    arguments = [
        (f"{trees[number]['directory']}/{file}", file, trees[number]["output"], job["protect"])
        for number, file in missing
    ]
    rows = [[] for _ in trees]
    for (number, file), row in zip(missing, run(compile_file, arguments), strict=True):
        rows[number].append([file, row])
    return rows


def compile_file(path, name, output, protect):
    """Write the bytecode of a module; return its name, size, time and hash, if it has any."""
    source = read_file(path)
    # A file that does not compile is no error here: some packages ship templates and code for
    # other versions of Python.
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
    content = head + marshal.dumps(code)
    bytecode_name = importlib.util.cache_from_source(name)
    try:
        status = write_file(f"{output}/{bytecode_name}", content, protect)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise OSError(error.errno, error.strerror, f"{output}/{bytecode_name}") from None
    sha256 = hashlib.sha256(content).hexdigest()
    return [bytecode_name, status.st_size, status.st_mtime_ns, sha256]


def write_file(path, content, protect):
    """Write a file in one step; a protected file is read-only, because bundles link to it."""
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    draft = f"{directory}/draft-{os.urandom(8).hex()}"  # machines may share the directory
    try:
        with open(draft, "wb") as file:
            file.write(content)
        if os.name == "posix":
            os.chmod(draft, 0o444 if protect else 0o644)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    return os.stat(path)


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def group_by_tree(trees, places):
    files = [[] for _ in trees]
    for number, file in places:
        files[number].append(file)
    return files


@contextlib.contextmanager
def open_pool():
    """Yield a function that works like ``map``, on all cores if that is faster."""
    gc.disable()  # code objects have no reference cycles, and the search for them takes time
    pool = None

    def run(function, arguments):
        nonlocal pool
        if len(arguments) < MIN_PARALLEL_FILES or (os.cpu_count() or 1) < 2:  # noqa: PLR2004  # needs two cores
            return [function(*each) for each in arguments]
        if pool is None:
            from concurrent.futures import ProcessPoolExecutor  # most builds compile a few files

            pool = ProcessPoolExecutor(initializer=gc.disable)
        return list(pool.map(function, *zip(*arguments, strict=True), chunksize=16))

    try:
        yield run
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C, some are pending


if __name__ == "__main__":
    try:
        result, code = main(json.load(sys.stdin)), 0
    except OSError as error:
        result, code = [error.errno, error.strerror, error.filename], FILE_ERROR
    json.dump(result, sys.stdout)
    sys.exit(code)
