"""Start the app in a slot, wait until the app is ready, and send the requests to this slot.

Written by `mastra new host blue-green`; edit it freely.

    sudo python3 switch.py          # switch to the other slot
    sudo python3 switch.py blue     # switch to this slot, for example to go back

A slot is a port, and the directory of its bundle is /opt/<<name>>/PORT.
"""

import http.client
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

PORTS = {"blue": <<port>>, "green": <<other_port>>}
# The proxy includes this file, as in nginx.conf.
UPSTREAM = Path(os.environ.get("UPSTREAM", "/etc/nginx/<<name>>-upstream.conf"))
# "enable" also starts the slot after a reboot.
START = os.environ.get("START", "systemctl enable --now <<name>>@{port}")
# After SIGTERM, the slot finishes its requests, and hands durable runs back to the other slot.
STOP = os.environ.get("STOP", "systemctl disable --now <<name>>@{port}")
RELOAD = os.environ.get("RELOAD", "nginx -s reload")
READY_SECONDS = float(os.environ.get("READY_SECONDS", "60"))
PROXY_SECONDS = float(os.environ.get("PROXY_SECONDS", "5"))  # until the proxy has the new slot


def main(arguments):
    before = UPSTREAM.read_text() if UPSTREAM.exists() else ""
    active = next((slot for slot, port in PORTS.items() if f":{port};" in before), "")
    others = [slot for slot in PORTS if slot != active]
    target = arguments[0] if arguments else others[0]
    if target not in PORTS:
        return f"There is no slot {target!r}: use {' or '.join(PORTS)}."
    if target == active and is_ready(PORTS[target]):
        return f"The slot {target} gets the requests already."
    call(STOP, target)  # a process that still runs here would serve an earlier bundle
    call(START, target)
    if not wait_until_ready(PORTS[target]):
        call(STOP, target)
        return f"The slot {target} was not ready in {READY_SECONDS:g} s. Nothing was switched."
    write_upstream(f"server 127.0.0.1:{PORTS[target]};\n")
    if not call(RELOAD, target):
        write_upstream(before)
        call(STOP, target)
        return "The proxy could not be reloaded. Nothing was switched."
    print(f"The slot {target} gets the requests.")
    if active not in ("", target):
        time.sleep(PROXY_SECONDS)
        call(STOP, active)
        print(f"The slot {active} has stopped. To go back: switch.py {active}")
    return 0


def call(command, slot):
    words = [word.format(port=PORTS[slot]) for word in shlex.split(command)]
    return subprocess.run(words, check=False).returncode == 0


def wait_until_ready(port):
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if is_ready(port):
            return True
        time.sleep(0.2)
    return False


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "<<ready_path>>")
        return connection.getresponse().status < <<ready_below>>
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def write_upstream(text):
    new = UPSTREAM.with_name(UPSTREAM.name + ".new")
    new.write_text(text)
    new.replace(UPSTREAM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
