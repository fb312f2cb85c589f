"""Call the handler of a bundle for each HTTP request, one request at a time.

python event_server_child.py MODULE.FUNCTION PORT-FILE

`mastra_deployer.kit.preview_handler` runs this file with the bundle's Python, in the bundle's
directory. The file needs only the standard library.
"""

import base64
import importlib
import os
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()
MAX_RESPONSE = 6 * 1024 * 1024


def build_event(request, body):
    path, _, query = request.path.partition("?")
    headers, cookies = {}, []
    for name, value in request.headers.items():
        name = name.lower()
        if name == "cookie":
            cookies.extend(value.split("; "))
        else:
            headers[name] = headers[name] + "," + value if name in headers else value
    client = headers.get("x-forwarded-for", "127.0.0.1")
    http = {
        "method": request.command,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": client,
        "userAgent": headers.get("user-agent", ""),
    }
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {"http": http, "stage": "$default"},
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }
    return dict(event, cookies=cookies) if cookies else event


def read_content(result):
    content = result.get("body") or ""
    content = base64.b64decode(content) if result.get("isBase64Encoded") else content.encode()
    if len(content) > MAX_RESPONSE:
        raise ValueError("The response has more than %d bytes." % MAX_RESPONSE)
    return content


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            with LOCK:
                result = self.server.function(build_event(self, body), None)
            content = read_content(result)
        except Exception:
            traceback.print_exc()
            result, content = {"statusCode": 502}, b'{"message":"Internal Server Error"}'
        self.respond(result, content)

    def respond(self, result, content):
        self.send_response_only(result["statusCode"])
        headers = result.get("headers") or {}
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        for value in result.get("cookies") or ():
            self.send_header("set-cookie", value)
        if result["statusCode"] not in (204, 304):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and result["statusCode"] not in (204, 304):
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def log_message(self, *_):
        pass


def main():
    name, port_file = sys.argv[1:]
    sys.path.insert(0, os.getcwd())
    module, _, attribute = name.rpartition(".")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.function = getattr(importlib.import_module(module), attribute)
    draft = port_file + ".tmp"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.replace(draft, port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
