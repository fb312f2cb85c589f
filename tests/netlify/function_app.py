"""The application of the tests of functions: each path shows one thing that the bridge must keep."""

import asyncio
import importlib
import json
import multiprocessing
import os
import ssl
import subprocess
import sys
from pathlib import Path

if Path(os.environ["FAILURE"]).exists():
    raise RuntimeError("a word that only the log has")

IMAP = importlib.import_module("imap" + "lib")  # no import statement names the module
COUNTS = {"sent": 0, "left": 0}
CHUNK = b"x" * 65_536


async def read(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def write(send, body=b"", *, more=False):
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def describe(scope, receive, send):
    size = len(await read(receive))
    facts = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "client": scope["client"],
        "scheme": scope["scheme"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "size": size,
        "process": os.getpid(),
        "database": os.environ.get("NETLIFY_DB_URL"),
        "language": os.environ.get("LANG"),
        "python_variables": [name for name in os.environ if name.startswith("PYTHON")],
    }
    status = int(scope["query_string"] or b"200")
    body = b"" if status in (204, 304) else json.dumps(facts).encode()
    await start(send, status, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-own", b"1")])
    await write(send, body)


async def stream(scope, receive, send):
    """Four events in a second, each at once."""
    await start(send, 200, [(b"content-type", b"text/event-stream")])
    for number in range(4):
        await write(send, b"data: %d\n\n" % number, more=True)
        await asyncio.sleep(0.25)
    await write(send)


async def flood(scope, receive, send):
    """Send as fast as the client reads, until it leaves."""
    COUNTS["sent"] = 0
    await start(send)
    leaving = asyncio.ensure_future(wait_for_leave(receive))
    while not leaving.done():
        await write(send, CHUNK, more=True)
        COUNTS["sent"] += len(CHUNK)
        await asyncio.sleep(0)


async def wait_for_leave(receive):
    while (await receive())["type"] != "http.disconnect":
        pass
    COUNTS["left"] += 1


async def send_much(scope, receive, send):
    await start(send)
    for _ in range(int(scope["query_string"]) // len(CHUNK)):
        await write(send, CHUNK, more=True)
    await write(send)


async def wait(scope, receive, send):
    """Answer nothing until the client is gone."""
    await wait_for_leave(receive)


async def refuse(scope, receive, send):
    """Answer without reading the body."""
    await start(send, 413)
    await write(send, b"too much")


async def count_certificates(scope, receive, send):
    await start(send)
    await write(send, json.dumps(len(ssl.create_default_context().get_ca_certs())).encode())


async def count(scope, receive, send):
    await start(send)
    await write(send, json.dumps(COUNTS).encode())


async def break_off(scope, receive, send):
    """Close the connection after the response, as a server does that has failed."""
    await start(send, 200, [(b"connection", b"close")])
    await write(send, b"last")


async def run_children(scope, receive, send):
    """Start Python in each way that an app has."""
    code = "import sys, tool; print(sys.executable, tool.GREETING)"
    commands = {
        "code": [sys.executable, "-c", code],
        "isolated": [sys.executable, "-I", "-c", code],
        "module": [sys.executable, "-m", "tool"],
        "by name": ["python3", "-m", "tool"],
        "script": ["uvicorn", "--version"],
        "dependency": [sys.executable, "-m", "uvicorn", "--version"],
    }
    results = {name: await asyncio.to_thread(run, command) for name, command in commands.items()}
    results["bare"] = await asyncio.to_thread(run, commands["code"], env={})
    results["spawned"] = await asyncio.to_thread(spawn)
    results["maps"] = await asyncio.to_thread(run, [sys.executable, "-c", MAPS])
    await start(send)
    await write(send, json.dumps(results).encode())


MAPS = "print(open('/proc/self/maps').read())"


def run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as error:
        return str(error)
    return done.stdout.strip() or done.stderr


def spawn():
    import tool

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(tool.greet)


async def leave_children(scope, receive, send):
    """Start a process that outlives the request."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = await asyncio.to_thread(subprocess.Popen, command)
    await start(send)
    await write(send, json.dumps([os.getpid(), child.pid]).encode())


async def write_files(scope, receive, send):
    """Tell where the app can write."""
    import tempfile

    results = {}
    for directory in (str(Path(__file__).parent), tempfile.gettempdir()):
        try:
            file = Path(directory) / "written"
            file.write_text("x")
            file.unlink()
            results[directory] = "yes"
        except OSError as error:
            results[directory] = error.strerror
    await start(send)
    await write(send, json.dumps(results).encode())


async def run_lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("the lifespan ended", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await run_lifespan(receive, send)
    return await PATHS.get(scope["path"], describe)(scope, receive, send)


PATHS = {
    "/stream": stream,
    "/flood": flood,
    "/much": send_much,
    "/wait": wait,
    "/refuse": refuse,
    "/count": count,
    "/certificates": count_certificates,
    "/break": break_off,
    "/children": run_children,
    "/leave-children": leave_children,
    "/write": write_files,
}
