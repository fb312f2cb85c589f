"""Serve the bundle that contains this file: `python index.py`.

    PORT             port to bind (3000)
    HOST             address to bind (0.0.0.0)
    WEB_CONCURRENCY  worker processes (1)
    KEEP_ALIVE       seconds that a connection stays open after a response (75)

`python index.py --check` starts no server: it imports the app and prints its registry as JSON.

This file needs only the standard library, so that a wrong Python version gets an error message
instead of a traceback. In the source tree, the file is `mastra_core/launcher.py`; a build copies it
unchanged.
"""

import contextlib
import errno
import functools
import gc
import importlib
import operator
import os
import platform
import signal
import site
import socket
import sys
import sysconfig
import threading
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
PACKAGE_DIRECTORIES = ("site-packages", "dist-packages")
NO_EXECUTION = "failed to map segment from shared object"  # words of the dynamic loader
DEFAULT_GC_THRESHOLDS = gc.get_threshold()
GC_THRESHOLD = (
    10_000  # new objects; with Python's 700 to 2000, collection takes 4 % of an agent run
)


def main(arguments):
    gc.disable()  # off during the imports, because it would take a tenth of their time
    open_standard_streams()
    bundle = read_manifest(HERE)
    check_python(bundle)
    paths = [os.path.join(HERE, path) for path in bundle["paths"]]
    isolate(paths)
    prepare_children(paths)
    if arguments not in ([], ["--check"]):
        fail(
            "Unknown argument %r." % arguments[0],
            "Run it without arguments, or with --check. HOST and PORT in the environment set the "
            "address.",
        )
    return check(bundle) if arguments else serve(bundle)


def open_standard_streams():
    """Open the null device in place of each standard stream that the parent process has closed.

    Otherwise, the next socket or file would get the descriptor of the stream, and would receive
    what a library prints.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest free one
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))


def read_manifest(directory):
    import json  # which Debian's minimal Python lacks

    try:
        with open(os.path.join(directory, "mastra-bundle.json"), encoding="utf-8") as file:
            return json.load(file)
    except PermissionError as error:
        fail(
            "The bundle in %r cannot be read: %s." % (directory, error.strerror),
            "Let this user read it: chmod -R a+rX, or chown.",
        )
    except (OSError, ValueError) as error:
        refuse_incomplete_bundle(directory, error)


def refuse_incomplete_bundle(directory, error):
    fail(
        "The bundle in %r is incomplete: %s." % (directory, error),
        "Copy the whole bundle, or build it again.",
    )


def check_python(bundle):
    """Check that this machine has the Python version and the machine type of the bundle."""
    expected = tuple(int(part) for part in bundle["python"].split("."))
    version = sys.version_info[:2]
    if version != expected and not (bundle["pure"] and version > expected):
        fail(
            "This bundle was built for Python %s, but this Python is %d.%d."
            % (bundle["python"], *version),
            "Run it with python%s, or build with --python %d.%d." % (bundle["python"], *version),
        )
    if not bundle["pure"]:
        check_machine(bundle)


def refuse_incomplete_python(missing):
    """End if a missing module belongs to the standard library, as with Debian's minimal Python."""
    name = (missing or "").partition(".")[0]
    if name in getattr(sys, "stdlib_module_names", ()):
        fail(
            "This Python %d.%d lacks the module %r of its standard library."
            % (*sys.version_info[:2], name),
            "Install a complete Python: some systems split it into several packages, and a Python "
            "that was built without a C library lacks the module that needs it.",
        )


def check_machine(bundle):
    if "t" in getattr(sys, "abiflags", "") or "free-threading build" in sys.version:
        fail(
            "This bundle was built for Python %s, but this Python is a free-threading build, "
            "which needs other packages." % bundle["python"],
            "Run it with python%s." % bundle["python"],
        )
    machine, libc = parse_machine(bundle["wheels"]), parse_libc(bundle["wheels"])
    here = (sys.platform, get_machine())
    if machine and (machine != here or not is_compatible_libc(libc)):
        name = "%s %s" % platform.libc_ver() if is_glibc() else "another C library than glibc"
        words = "%s %s%s" % (*here, " with " + name if libc and here[0] == "linux" else "")
        fail(
            "This bundle was built for %s, but this machine is %s." % (bundle["wheels"], words),
            "Build it on this machine, or with --platform.",
        )


def parse_machine(wheels):
    """Return (`linux`, `x86_64`) for `x86_64-manylinux_2_28`; None for an unknown platform."""
    machine, _, rest = wheels.partition("-")
    systems = (("linux", "linux"), ("darwin", "darwin"), ("windows", "win32"))
    return next(((system, machine) for word, system in systems if word in rest), None)


def parse_libc(wheels):
    """Return the C library of a wheel platform: (`glibc`, 28) for `x86_64-manylinux_2_28`.

    Return None for a system other than Linux.
    """
    if "linux" not in wheels:
        return None
    if "musl" in wheels:
        return ("musl", 0)
    minor = wheels.rpartition("manylinux_2_")[2]
    return ("glibc", int(minor) if minor.isdigit() else 0)


def is_compatible_libc(libc):
    """Return whether code that was compiled for ``libc`` runs with this machine's C library."""
    if libc is None or not is_glibc():
        return libc is None or libc[0] != "glibc"
    return libc[0] == "glibc" and int(platform.libc_ver()[1].split(".")[1]) >= libc[1]


def is_glibc():
    return platform.libc_ver()[0] == "glibc"


def get_machine():
    # In an environment without variables Windows does not name the machine.
    machine = platform.machine().lower() or sysconfig.get_platform().rpartition("-")[2]
    machine = {"amd64": "x86_64", "arm64": "aarch64", "win32": "i686"}.get(machine, machine)
    return "i686" if machine == "x86_64" and sys.maxsize < 2**32 else machine


def isolate(paths):
    """Make only the standard library and the bundle importable.

    If the app could import packages that are installed on this machine, nobody would notice that
    the bundle lacks a dependency until it starts on another machine.
    """
    sys.dont_write_bytecode = True  # running a bundle must not change its digest
    sys.pycache_prefix = None  # the bytecode of the bundle is beside its modules
    sys.path[:] = [path for path in sys.path if is_standard_library(path)]
    sys.meta_path[:] = [it for it in sys.meta_path if "_frozen" in getattr(it, "__module__", "")]
    for name, module in list(sys.modules.items()):
        # A namespace package from a .pth file has a path and no file.
        locations = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        origin = next(filter(None, locations), "")
        if origin and name not in ("__main__", "__mp_main__") and not is_standard_library(origin):
            del sys.modules[name]
    sys.path_importer_cache.clear()
    sys.path[:0] = paths[:-1]
    site.addsitedir(paths[-1])


def prepare_children(paths):
    """Let child Python processes import the same modules, and find the console scripts."""
    importlib.import_module("mastra_venv").activate(paths, os.path.join(HERE, "bin"))


def is_standard_library(path):
    path = os.path.abspath(path) if path else os.getcwd()
    if os.path.basename(path) == "python%d%d.zip" % sys.version_info[:2]:
        return True
    # Homebrew moves sys.base_prefix to a link, while sys.path keeps the directory behind it.
    return is_in_library(path) or is_in_library(os.path.realpath(path))


def is_in_library(path):
    path = os.path.normcase(path)
    for root in get_library_roots():
        if path == root or path.startswith(root + os.sep):
            return not any(part in PACKAGE_DIRECTORIES for part in path[len(root) :].split(os.sep))
    return False


@functools.lru_cache(maxsize=None)  # noqa: UP033  # Python 3.8 must read this
def get_library_roots():
    """Return the directories of the standard library, with and without symbolic links."""
    roots = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    roots.add(os.path.join(sys.base_prefix, "DLLs"))  # where Windows keeps compiled modules
    roots.add(os.path.dirname(os.__file__))
    return {os.path.normcase(name) for root in roots for name in (root, os.path.realpath(root))}


def load(bundle):
    """Return the app and the module that contains it."""
    name, _, attribute = bundle["app"].partition(":")
    module = importlib.import_module(name)
    return operator.attrgetter(attribute)(module), module


def check(bundle, inspect=None):
    """Import the app and print its registry; send the app's own output to stderr."""
    import json

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    report = observe(lambda: (inspect or describe_app)(bundle, load(bundle)[1]))
    json.dump(report, out)
    out.close()
    sys.stdout.flush()
    sys.modules["mastra_venv"].deactivate()
    os._exit(0 if report["ok"] else 1)  # threads of the app must not keep the process alive


def observe(call):
    """Call a function, and report its result, duration or error."""
    started = time.perf_counter()
    try:
        report = {"ok": True, "registry": call()}
    except BaseException as error:  # SystemExit at import is a failure as well
        report = {"ok": False, "error": format_error(error)}
    report["import_ms"] = round((time.perf_counter() - started) * 1000)
    report["modules"] = len(sys.modules)
    return report


def describe_app(bundle, module):
    if bundle["kind"] != "mastra":
        return {}
    from mastra_core.describe import describe, find_missing_extras, find_missing_providers

    return dict(
        describe(module.mastra),
        missing=find_missing_providers(module.mastra),
        missing_extras=find_missing_extras(module.mastra),
    )


def format_error(error):
    """Return an exception as data: type, message, hint and frames; unwrap exception groups."""
    while type(error).__name__ in ("ExceptionGroup", "BaseExceptionGroup"):
        error = error.exceptions[0]
    frames = [list(frame)[:4] for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append([error.filename or "", error.lineno or 0, "", (error.text or "").rstrip()])
    return {
        "type": type(error).__name__,
        "message": getattr(error, "message", "") or getattr(error, "msg", "") or str(error),
        "hint": getattr(error, "hint", ""),
        "missing": error.name if isinstance(error, ModuleNotFoundError) else None,
        "frames": frames,
    }


def serve(bundle):
    handle_signals(end_at_once)
    enter_project()
    check_environment(bundle)
    check_docstrings(bundle)
    settings = bundle["serve"]
    host = os.environ.get("HOST") or settings["host"]
    listener = bind(host, parse_port(os.environ.get("PORT") or str(settings["port"])))
    workers, keep_alive = parse_workers(settings), parse_keep_alive()
    import uvicorn

    config = uvicorn.Config(
        "__mp_main__:create_worker_app" if workers > 1 else import_app(bundle),
        factory=workers > 1,
        log_config=None,
        access_log=False,
        server_header=False,
        http="mastra_server.http.connections:LimitedConnection"
        if bundle["kind"] == "mastra"
        else "auto",
        ws="none" if bundle["kind"] == "mastra" else "auto",
        forwarded_allow_ips=settings.get("proxies") or None,
        timeout_graceful_shutdown=max(1, round(settings["drain"])),
        timeout_keep_alive=keep_alive,
        workers=workers,
    )
    end_imports()
    address = "[%s]" % host if ":" in host else host
    announce = "Serving %s on http://%s:%d" % (bundle["entry"], address, listener.getsockname()[1])
    return (serve_many if workers > 1 else serve_one)(config, listener, announce)


def announce_start(text):
    echo(text)
    echo("  relative paths start at %s" % os.getcwd())


def enter_project():
    """Change the working directory to the project, so that relative paths of the app start there.

    A build replaces the whole directory .mastra, so the app must not keep a database there.
    """
    if os.path.basename(HERE) == ".mastra":
        os.chdir(os.path.dirname(HERE))


def serve_one(config, listener, announce="", mixins=()):
    import uvicorn

    class Server(*mixins, uvicorn.Server):  # `mastra dev` adds its own shutdown request
        def handle_exit(self, sig, frame):
            # From now on /ready answers 503, while the running requests are finished.
            state = getattr(self.config.app, "state", None)
            if hasattr(state, "draining"):
                state.draining = True
            super().handle_exit(sig, frame)

        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            end_imports()
            if self.started and announce:
                announce_start(announce)
                start_preload(self.config.app)

    handle_signals(sys.exit)  # uvicorn drains, then raises the signal again
    server = Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 3


def handle_signals(leave):
    """Call ``leave`` with the exit code of a requested stop, which is a success for SIGTERM.

    The system does not end the first process of a container by a signal that has no handler.
    """
    signal.signal(signal.SIGTERM, lambda *_: leave(0))
    signal.signal(signal.SIGINT, lambda *_: leave(130))
    if not ignores_hangup():  # a closed terminal stops the server like SIGTERM
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def end_at_once(code):
    """End the process during the import of the app, which might catch a SystemExit."""
    sys.modules["mastra_venv"].deactivate()
    os._exit(code)


def ignores_hangup():
    """Return whether the process ignores SIGHUP, as under nohup and on Windows."""
    return not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def end_imports():
    """Turn garbage collection on, and exclude the imported objects from it.

    Garbage collections that check the imported objects would delay requests. If the app has set
    thresholds of the garbage collector, they are kept.
    """
    if gc.get_threshold() == DEFAULT_GC_THRESHOLDS:
        gc.set_threshold(GC_THRESHOLD, *DEFAULT_GC_THRESHOLDS[1:])
    gc.freeze()
    gc.enable()


def start_preload(app):
    """Import the agents' modules in a thread, when the server accepts connections.

    During these imports, the server answers /health and requests that need no agent. An early
    request for an agent waits for the same imports that it would need anyway.
    """
    mastra = getattr(getattr(app, "state", None), "mastra", None)
    if mastra is not None:
        thread = threading.Thread(target=run_preload, args=(mastra,), name="preload", daemon=True)
        with contextlib.suppress(RuntimeError):  # the host allows no further thread
            thread.start()


def run_preload(mastra):
    from mastra_core import preload

    preload(mastra)
    end_imports()


def create_worker_app():
    """Return the app for a worker process; the preload begins when the app has started."""
    gc.disable()
    if hasattr(signal, "SIGHUP"):  # the supervisor also receives it, and stops the workers
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    app = load(read_manifest(HERE))[0]
    end_imports()

    async def run_app(scope, receive, send):
        async def send_message(message):
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                end_imports()
                start_preload(app)

        await app(scope, receive, send_message if scope["type"] == "lifespan" else send)

    return run_app


def serve_many(config, listener, announce):
    import inspect
    import subprocess

    from uvicorn import Server
    from uvicorn.supervisors import Multiprocess

    handle_signals(sys.exit)  # ends the check, too
    # uvicorn would restart a worker that cannot import the app forever.
    command = [sys.executable, os.path.join(HERE, "index.py"), "--check"]
    if subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        import_app(read_manifest(HERE))
    arguments = {"sockets": [listener]}
    if "target" in inspect.signature(Multiprocess).parameters:  # older versions of uvicorn
        arguments["target"] = Server(config).run
    is_ignored = ignores_hangup()
    supervisor = Multiprocess(config, **arguments)
    # uvicorn itself would restart the workers after SIGHUP.
    supervisor.handle_hup = (lambda: None) if is_ignored else supervisor.handle_term
    with share_metrics():
        announce_start("%s, %d workers" % (announce, config.workers))
        supervisor.run()
    return 3 if 3 in [getattr(item, "exitcode", 0) for item in supervisor.processes] else 0


@contextlib.contextmanager
def share_metrics():
    """Let the workers share a directory of metrics, so that each one reports the metrics of all."""
    import tempfile
    from importlib.util import find_spec

    if "PROMETHEUS_MULTIPROC_DIR" in os.environ or not find_spec("prometheus_client"):
        yield
        return
    parent = find_temporary_directory()
    if not parent:
        echo(
            "No directory for temporary files is writable, so each worker reports its own metrics "
            "only.\n  Set TMPDIR or PROMETHEUS_MULTIPROC_DIR to a writable directory."
        )
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mastra-metrics-", dir=parent) as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        yield


def find_temporary_directory():
    """Return the first directory for temporary files that is writable; empty without one."""
    candidates = sys.modules["mastra_venv"].list_temporary_directories()
    return next((path for path in candidates if os.access(path, os.W_OK | os.X_OK)), "")


def import_app(bundle):
    try:
        return load(bundle)[0]
    except (Exception, SystemExit) as error:  # an app that exits would end the server with code 0
        what, app = format_error(error), os.path.join(HERE, "app", "")
        refuse_incomplete_python(what["missing"])
        if NO_EXECUTION in what["message"]:
            what["hint"] = (
                "The disk of the bundle is mounted with noexec. Copy the bundle to another disk, "
                "or mount the disk with exec."
            )
        if not what["hint"]:  # an error of mastra says what to do
            traceback.print_exception(type(error), error, error.__traceback__)
        own = ["%s:%d" % (it[0][len(app) :], it[1]) for it in what["frames"] if app in it[0]]
        words = (bundle["entry"], what["type"], what["message"])
        see = "See %s." % (own[-1] if own else "above")
        fail("The app %r cannot be imported: %s: %s" % words, what["hint"] or see, 1)


def check_environment(bundle):
    missing = [name for name in bundle["required"] if not os.environ.get(name)]
    if missing:
        fail(
            "Required environment variables are not set: %s." % ", ".join(missing),
            "Set them, or run `mastra start`, which reads .env.",
        )


def check_docstrings(bundle):
    if sys.flags.optimize > 1 and bundle["kind"] == "mastra":
        echo(
            "Python runs with -OO or PYTHONOPTIMIZE=2, which removes docstrings: tools and agents "
            "have no descriptions from docstrings.\n  Unset PYTHONOPTIMIZE, or set it to 1."
        )


def parse_port(text):
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535:
        return int(text)
    return fail("PORT is %r." % text, "Set it to a number from 0 to 65535. 0 selects a free port.")


def parse_workers(settings):
    text = os.environ.get("WEB_CONCURRENCY") or "1"
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) < 1:
        fail("WEB_CONCURRENCY is %r." % text, "Set it to a number of processes, 1 or more.")
    if int(text) > 1 and settings["single_process"]:
        echo(
            "WEB_CONCURRENCY is %s, but runs or threads are kept in one process: using 1 worker.\n"
            "  Give Mastra a durable engine=..., and storage='sqlite:///...' to its memory. Give "
            "LangGraph graphs a checkpointer that uses a database." % text
        )
        return 1
    if int(text) > 1 and "Server(rate_limit=...)" in settings.get("per_process", ()):
        echo(
            "WEB_CONCURRENCY is %s, and each worker counts the requests of Server(rate_limit=...) "
            "for itself.\n  Give RateLimit storage='sqlite:///...' or a PostgreSQL database." % text
        )
    return int(text)


def parse_keep_alive():
    """Return the seconds that an idle connection stays open.

    A proxy that sends a request just when the server closes the connection answers 502, so the
    server must wait longer than the proxy.
    """
    text = os.environ.get("KEEP_ALIVE") or "75"
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) < 1:
        fail("KEEP_ALIVE is %r." % text, "Set it to a number of seconds, 1 or more.")
    return int(text)


def bind(host, port):
    """Bind the port before the import of the app, so that a used port is reported at once."""
    try:
        listener = open_listener(host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        fail("Cannot listen on %s:%d: %s." % (host, port, reason), suggest_address(host, error))
    listener.set_inheritable(True)
    return listener


def open_listener(host, port):
    """Return a listening socket; raise an OSError, UnicodeError or OverflowError if that fails."""
    family, address = find_address(host, port)
    if port and is_served(family, address):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    listener = socket.socket(family)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # some systems report a port in use only here
    except BaseException:
        listener.close()
        raise
    return listener


def find_address(host, port):
    """Return the family and the address of a host: its IPv4 address, else its IPv6 address.

    The address of a link-local host such as `fe80::1%eth0` contains the interface.
    """
    if not 0 <= port <= 65535:  # getaddrinfo would take the remainder
        raise OverflowError("the port must be 0 to 65535")
    name = host.encode() if host.isascii() else host  # bytes need no codec, whose import is slow
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    families = [family for family, *_ in found]
    index = families.index(socket.AF_INET) if socket.AF_INET in families else 0
    return families[index], found[index][4]


def is_served(family, address):
    """Return whether a process listens on a port, because macOS would let a second one bind it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])
    with socket.socket(family) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect((host, *address[1:]))
            return probe.getsockname() != probe.getpeername()  # equal: connected to itself
        except (OSError, UnicodeError):
            return False


def suggest_address(host, error):
    """Return the cure for an address that cannot be bound."""
    foreign = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)
    if isinstance(error, (socket.gaierror, UnicodeError)) or error.errno in foreign:
        setting = "Conda and others set HOST too: set" if os.environ.get("HOST") else "Set"
        return "%r is not an address of this machine. %s HOST=0.0.0.0 or another address." % (
            host,
            setting,
        )
    if error.errno == errno.EACCES:
        return "Set PORT to 1024 or higher: lower ports need privileges."
    return "Stop the process that listens there, or set PORT. 0 selects a free port."


def echo(text):
    print(text, file=sys.stderr, flush=True)


def fail(message, hint, code=2):
    echo("error: %s\n  %s" % (message, hint))
    sys.exit(code)


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except ModuleNotFoundError as error:
        refuse_incomplete_python(error.name)
        refuse_incomplete_bundle(HERE, error)  # a module that the app itself lacks is no such error
    sys.exit(code)
elif __name__ == "__mp_main__":  # a worker process: it imports the app by name
    isolate([os.path.join(HERE, path) for path in read_manifest(HERE)["paths"]])
