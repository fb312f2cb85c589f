"""Distributions that are hard to pack answer from the bundle as they do from source.

Each project has one tool, which makes the first real call of a distribution. No call downloads.
`pytest --full --junitxml FILE` records versions, sizes and build times as properties.
"""

import dataclasses
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.deployer.bundler.test_projects import run_uv, serve_from_source
from tests.sample_projects import write_project

pytestmark = [pytest.mark.slow, pytest.mark.full]

INDEX = """\
from mastra_core import Mastra, tool

from .call import answer

mastra = Mastra(tools={"answer": tool(answer)}, logger=False)
"""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """A distribution, and a function that makes its first real call."""

    name: str
    code: str
    requirements: tuple[str, ...] = ()

    @property
    def required(self):
        return self.requirements or (self.name,)


PLAYWRIGHT = '''
from playwright.sync_api import sync_playwright


def answer() -> dict:
    """Ask the driver, a program of Node.js, for its devices and for a browser."""
    with sync_playwright() as playwright:
        context = playwright.request.new_context()
        context.dispose()
        return dict(playwright.devices["iPhone 13"]["viewport"])
'''
IMAGEIO = '''
import tempfile

import imageio_ffmpeg


def answer() -> dict:
    """Encode a film with the program of the wheel, and read it."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        writer = imageio_ffmpeg.write_frames(file.name, (64, 64), fps=5)
        writer.send(None)
        for n in range(5):
            writer.send(bytes([n * 20]) * 64 * 64 * 3)
        writer.close()
        frames, _ = imageio_ffmpeg.count_frames_and_secs(file.name)
    return {"version": imageio_ffmpeg.get_ffmpeg_version(), "frames": frames}
'''
SCIKIT_IMAGE = '''
import numpy
import skimage


def answer() -> dict:
    """Use lazy submodules, compiled filters and data of the wheel."""
    image = skimage.util.img_as_float(skimage.data.brick()[:64, :64])
    edges = skimage.feature.canny(skimage.filters.gaussian(image, 1))
    labels = skimage.measure.label(edges)
    small = skimage.transform.resize(image, (8, 8))
    return {"labels": int(labels.max()), "mean": round(float(numpy.mean(small)), 6)}
'''
ASTROPY = '''
import io

import astropy.units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.utils import iers

iers.conf.auto_download = False


def answer() -> dict:
    """Use its data of the Earth, its parsers and its formats."""
    star = SkyCoord("05h14m32.27s -08d12m05.9s", frame="icrs")
    place = EarthLocation(lat=48 * u.deg, lon=11 * u.deg, height=500 * u.m)
    seen = star.transform_to(AltAz(obstime=Time("2020-01-01T20:00:00"), location=place))
    content = io.BytesIO()
    fits.BinTableHDU(Table({"a": [1, 2]})).writeto(content)
    content.seek(0)
    text = io.StringIO()
    Table.read(content, format="fits").write(text, format="ascii.ecsv")
    return {
        "altitude": round(float(seen.alt.deg), 6),
        "constellation": str(star.get_constellation()),
        "table": text.getvalue().splitlines()[-2:],
        "unit": str(u.Unit("km / (h Mpc)").to("1/s")),
    }
'''
JEDI = '''
import jedi


def answer() -> dict:
    """Complete code by type stubs, in the app's own environment and with a plugin."""
    script = jedi.Script("import json, re\\njson.loa\\nre.match('a', 'b').gro")
    names = [item.name for item in script.complete(2, 8)]
    inferred = [item.name for item in script.complete(3)]
    return {"names": names, "inferred": inferred, "doc": script.help(2, 2)[0].docstring()[:40]}
'''
RUFF = '''
import subprocess
import sys

from ruff import find_ruff_bin


def answer() -> dict:
    """Find the program as the distribution does, and run it in three ways."""
    check = ["check", "--isolated", "--output-format", "json", "-"]
    commands = [find_ruff_bin()], [sys.executable, "-m", "ruff"], ["ruff"]
    return {
        str(n): subprocess.run([*command, *check], input="import os\\n", capture_output=True,
                               text=True).stdout
        for n, command in enumerate(commands)
    }
'''
LXML = '''
from lxml import etree, html, isoschematron, objectify
from lxml.cssselect import CSSSelector

SCHEMA = """<schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern id="p">
<rule context="a"><assert test="b">a needs b</assert></rule></pattern></schema>"""


def answer() -> dict:
    """Use the stylesheets of the wheel, and the compiled parsers."""
    validator = isoschematron.Schematron(etree.XML(SCHEMA))
    page = html.fromstring("<p class=x>one<p>two")
    root = objectify.fromstring("<r><n>3</n></r>")
    return {
        "valid": [validator.validate(etree.XML(text)) for text in ("<a><b/></a>", "<a/>")],
        "found": [item.text for item in CSSSelector("p.x")(page)],
        "sum": int(root.n + 1),
        "libxml": list(etree.LIBXML_VERSION),
    }
'''
PSYCOPG = '''
import psycopg
from psycopg import pq, sql
from psycopg.types.json import Jsonb


def answer() -> dict:
    """Compose a query with the compiled library, and ask a server that does not listen."""
    query = sql.SQL("select {} from {}").format(sql.Literal([1, 2]), sql.Identifier("a b"))
    try:
        psycopg.connect("host=127.0.0.1 port=1 dbname=x connect_timeout=2")
    except psycopg.OperationalError as error:
        failed = str(error)
    dumped = psycopg.adapt.Transformer().get_dumper(Jsonb({"a": 1}), psycopg.adapt.PyFormat.TEXT)
    return {
        "query": query.as_string(None),
        "failed": failed,
        "implementation": pq.__impl__,
        "version": pq.version(),
        "json": bytes(dumped.dump(Jsonb({"a": 1}))).decode(),
    }
'''
GRPC = '''
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection


def answer() -> dict:
    """Serve a generated service and call it."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    reflection.enable_server_reflection([reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            status = stub.Check(health_pb2.HealthCheckRequest(service=""), timeout=10).status
    finally:
        server.stop(0).wait()
    return {"status": health_pb2.HealthCheckResponse.ServingStatus.Name(status)}
'''
STORAGE = '''
import http.server
import json
import threading

from google.api_core.client_options import ClientOptions
from google.cloud import storage


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        body = json.dumps({"name": "notes.txt", "bucket": "shop", "size": str(length)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_) -> None:
        pass


def answer() -> dict:
    """Upload to a server of this process, as to an emulator."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        options = ClientOptions(api_endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        client = storage.Client.create_anonymous_client()
        client = storage.Client(
            project="shop", credentials=client._credentials, client_options=options
        )
        blob = client.bucket("shop").blob("notes.txt")
        blob.upload_from_string("hello", checksum=None)
        return {"name": blob.name, "bucket": blob.bucket.name, "sent": blob.size > 0}
    finally:
        server.shutdown()
        server.server_close()
'''
LITELLM = '''
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm


def answer() -> dict:
    """Use the tokenizer and the prices in the wheel, and a response without a provider."""
    messages = [{"role": "user", "content": "hello to the world"}]
    response = litellm.completion("openai/gpt-4o", messages, mock_response="hello")
    router = litellm.Router(
        model_list=[{"model_name": "m", "litellm_params": {"model": "openai/gpt-4o"}}]
    )
    routed = router.completion("m", messages, mock_response="routed")
    return {
        "text": response.choices[0].message.content,
        "routed": routed.choices[0].message.content,
        "tokens": litellm.token_counter(model="gpt-4o", messages=messages),
        "window": litellm.get_model_info("gpt-4o")["max_input_tokens"],
        "prompt": litellm.supports_function_calling("gpt-4o"),
    }
'''
CHROMA = '''
import tempfile

import chromadb
from chromadb.config import Settings


def answer() -> dict:
    """Migrate a database, store and search."""
    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
        notes = client.create_collection("notes", embedding_function=None)
        notes.add(ids=["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]], documents=["x", "y"])
        found = notes.query(query_embeddings=[[0.9, 0.1]], n_results=1)
        return {"found": found["documents"], "count": notes.count()}
'''
UNSTRUCTURED = '''
from unstructured.chunking.title import chunk_by_title
from unstructured.documents.elements import NarrativeText, Title
from unstructured.partition.csv import partition_csv
from unstructured.partition.html import partition_html
from unstructured.staging.base import elements_to_json


def answer() -> dict:
    """Partition and chunk documents without models."""
    page = partition_html(text="<h1>Title</h1><table><tr><td>a</td><td>b</td></tr></table>")
    chunks = chunk_by_title([Title("One"), NarrativeText("Some text."), Title("Two")])
    return {
        "page": [[type(item).__name__, item.text] for item in page],
        "chunks": [item.text for item in chunks],
        "json": len(elements_to_json(chunks)) > 0,
    }
'''
JOBLIB = '''
import tempfile

import joblib
from joblib.externals.loky import get_reusable_executor


def square(number: int) -> int:
    return number * number


def answer() -> dict:
    """Compute in processes, in a cache, and dump."""
    try:
        squares = joblib.Parallel(n_jobs=2)(joblib.delayed(square)(n) for n in range(4))
    finally:
        get_reusable_executor().shutdown(wait=True)
    with tempfile.TemporaryDirectory() as folder:
        cached = joblib.Memory(folder, verbose=0).cache(square)
        cached(5)
        joblib.dump([1, 2], f"{folder}/list", compress=3)
        return {
            "squares": squares,
            "cached": cached.check_call_in_cache(5),
            "loaded": joblib.load(f"{folder}/list"),
        }
'''
WEASYPRINT = '''
import hashlib

from weasyprint import CSS, HTML


def answer() -> dict:
    """Draw a page with the style sheets of the wheel and the machine's Pango."""
    page = HTML(string="<h1>Hello</h1><p lang=en style='hyphens: auto'>hyphenation")
    document = page.render(stylesheets=[CSS(string="@page { size: A5 }")])
    pdf = document.write_pdf(pdf_identifier=b"x", uncompressed_pdf=True)
    return {"pages": len(document.pages), "head": pdf[:5].decode(), "size": len(pdf) > 500}
'''
PYPDF = '''
import io

from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText


def answer() -> dict:
    """Write an encrypted file, and read it."""
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.add_annotation(0, FreeText(text="hello", rect=(10, 10, 90, 30)))
    writer.add_metadata({"/Title": "notes"})
    writer.encrypt("secret", algorithm="AES-256")
    content = io.BytesIO()
    writer.write(content)
    reader = PdfReader(content, password="secret")
    return {
        "title": str(reader.metadata.title),
        "pages": len(reader.pages),
        "note": str(reader.pages[0].annotations[0].get_object()["/Contents"]),
    }
'''
FAISS = '''
import faiss
import numpy


def answer() -> dict:
    """Train, add and search, with the library that fits the processor."""
    numbers = numpy.random.default_rng(1).random((500, 16), dtype="float32")
    index = faiss.index_factory(16, "IVF4,PQ4x4")
    index.train(numbers)
    index.add(numbers)
    flat = faiss.IndexFlatL2(16)
    flat.add(numbers)
    _, found = flat.search(numbers[:3], 2)
    return {"total": index.ntotal, "found": found.tolist()}
'''
OPENCV = '''
import cv2
import numpy


def answer() -> dict:
    """Draw, encode, decode and detect."""
    image = numpy.zeros((64, 64, 3), numpy.uint8)
    cv2.circle(image, (32, 32), 10, (0, 255, 0), -1)
    _, encoded = cv2.imencode(".png", image)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    code = cv2.resize(cv2.QRCodeEncoder.create().encode("hello"), None, fx=8, fy=8, interpolation=0)
    return {
        "equal": bool((image == decoded).all()),
        "codecs": [bool(cv2.imencode(kind, image)[0]) for kind in (".jpg", ".webp", ".tiff")],
        "code": cv2.QRCodeDetector().detectAndDecode(cv2.copyMakeBorder(code, *[40] * 4, 0, value=255))[0],
        "contours": len(cv2.findContours(image[:, :, 1], 0, 2)[0]),
    }
'''
DUCKDB = '''
import os
import tempfile

import duckdb


def answer() -> dict:
    """Use its extensions that are compiled in, and files."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "numbers.parquet")
        with duckdb.connect() as database:
            database.sql(f"copy (select range as n from range(10)) to '{path}'")
            total = database.sql(f"select sum(n) from '{path}'").fetchall()
            data = database.sql("select '{\\"a\\": [1, 2]}'::json -> '$.a[1]'").fetchall()
            columns = database.sql(f"from '{path}'").df().columns.tolist()
    return {"total": int(total[0][0]), "json": data, "columns": columns}
'''
DISTRIBUTIONS = (
    Distribution("playwright", PLAYWRIGHT),
    Distribution("imageio-ffmpeg", IMAGEIO),
    Distribution("scikit-image", SCIKIT_IMAGE),
    Distribution("astropy", ASTROPY),
    Distribution("jedi", JEDI),
    Distribution("ruff", RUFF),
    Distribution("lxml", LXML, ("lxml", "cssselect")),
    Distribution("psycopg", PSYCOPG, ("psycopg[binary]",)),
    Distribution("grpcio", GRPC, ("grpcio", "grpcio-health-checking", "grpcio-reflection")),
    Distribution("google-cloud-storage", STORAGE),
    Distribution("litellm", LITELLM),
    Distribution("chromadb", CHROMA),
    Distribution("unstructured", UNSTRUCTURED, ("unstructured[csv]",)),
    Distribution("joblib", JOBLIB),
    Distribution("weasyprint", WEASYPRINT),
    Distribution("pypdf", PYPDF, ("pypdf[crypto]",)),
    Distribution("faiss-cpu", FAISS),
    Distribution("opencv-python-headless", OPENCV),
    Distribution("duckdb", DUCKDB, ("duckdb", "pandas")),
)
DJANGO_FILES = {
    "manage.py": "",
    "shop/__init__.py": "",
    "shop/settings.py": """\
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for a test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "catalog",
]
MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [BASE_DIR / "templates"],
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
LANGUAGE_CODE = "de"
USE_TZ = True
""",
    "shop/urls.py": """\
from django.contrib import admin
from django.shortcuts import render
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", lambda request: render(request, "home.html", {"price": 1234.5})),
    path("app", lambda request: render(request, "catalog/list.html")),
]
""",
    "shop/asgi.py": """\
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_asgi_application()
""",
    "catalog/__init__.py": "",
    "catalog/templates/catalog/list.html": "{% load shop_tags %}{{ 'list'|shout }}",
    "catalog/templatetags/__init__.py": "",
    "catalog/templatetags/shop_tags.py": """\
from django import template

register = template.Library()


@register.filter
def shout(text):
    return text.upper()
""",
    "templates/home.html": "{% load i18n humanize static %}{% now 'Y' %} {{ price }}"
    "{% static 'site.css' %}{% trans 'Log in' %}".replace(" humanize", ""),
    "staticfiles/site.css": "p { color: red }",
}
DJANGO_PATHS = ("/", "/app", "/admin/login/", "/static/site.css", "/static/admin/css/base.css")


def install(home, root, requirements):
    """Install what a user would, with the versions that uv chooses for each 3.X.Y."""
    run_uv("venv", "--quiet", "--python", sys.executable, home)
    found = Path(os.environ["MASTRA_TEST_WHEELS"])
    own = [next(found.glob(f"mastra_{name}-*.whl")) for name in ("core", "server")]
    version = ("--python-version", f"{sys.version_info[0]}.{sys.version_info[1]}")
    run_uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        home,
        *version,
        "uvicorn",
        *own,
        *requirements,
        cwd=root,
    )


def list_versions(home):
    packages = next(home.glob("lib/python*/site-packages"))
    return {
        canonicalize_name(item.name): item.version
        for item in importlib.metadata.distributions(path=[str(packages)])
    }


def build(mastra, root, home, *options):
    """Build with defaults, and return the result and the seconds."""
    here = {"VIRTUAL_ENV": str(home), "UV_FIND_LINKS": os.environ["MASTRA_TEST_WHEELS"]}
    began = time.monotonic()
    made = mastra("build", "--json", *options, cwd=root, timeout=900, **here).ok()
    return made.json, time.monotonic() - began


def move(root, home, target):
    """Move the bundle, and delete the project and its environment."""
    (root / ".mastra").rename(target)
    shutil.rmtree(root)
    shutil.rmtree(home)


def record(record_property, name, made, seconds, bundle):
    sbom = json.loads((bundle / "mastra-sbom.json").read_bytes())
    versions = {item["name"]: item.get("version") for item in sbom["components"]}
    size = sum(path.lstat().st_size for path in bundle.rglob("*") if path.is_file())
    record_property("distribution", name)
    record_property("version", versions.get(name))
    record_property("size", f"{size / 1e6:.1f} MB")
    record_property("build", f"{seconds:.1f} s")
    record_property("notes", json.dumps(made["notes"]))
    return versions


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda item: item.name)
def test_first_call_answers_as_from_source(
    distribution, mastra, serve_directory, tmp_path, record_property
):
    files = {"src/mastra/index.py": INDEX, "src/mastra/call.py": distribution.code}
    needed = ("mastra-core", *distribution.required)
    root = write_project(tmp_path / "app", files, dependencies=needed)
    home = tmp_path / "venv"
    install(home, root, distribution.required)
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    with serve_from_source(root, "mastra.index:mastra", home, PATH=path) as client:
        expected = call_tool(client)
    assert "error" not in expected, expected
    installed = list_versions(home)
    made, seconds = build(mastra, root, home)
    bundle = tmp_path / "elsewhere"
    move(root, home, bundle)
    shipped = record(record_property, distribution.name, made, seconds, bundle)
    both = installed.keys() & shipped.keys()  # the launcher's server is in the bundle only
    assert {name: shipped[name] for name in both} == {name: installed[name] for name in both}
    with serve_directory(bundle) as client:
        assert call_tool(client) == expected


def call_tool(client):
    answer = client.post("/api/tools/answer/execute", json={"data": {}}, timeout=120)
    return answer.json()


def test_django_answers_as_from_source(mastra, serve_directory, tmp_path, record_property):
    required = ("django", "whitenoise")
    root = write_project(tmp_path / "app", DJANGO_FILES, dependencies=required)
    home = tmp_path / "venv"
    install(home, root, required)
    collect = [home / "bin/python", "-m", "django", "collectstatic", "--noinput"]
    where = {"PYTHONPATH": str(root), "DJANGO_SETTINGS_MODULE": "shop.settings"}
    subprocess.run(collect, cwd=root, env={**os.environ, **where}, check=True, capture_output=True)
    with serve_from_source(root, "shop.asgi:application", home) as client:
        expected = get_pages(client)
    assert {status for status, _ in expected.values()} == {200}
    made, seconds = build(mastra, root, home, "--app", "shop.asgi:application")
    bundle = tmp_path / "elsewhere"
    move(root, home, bundle)
    record(record_property, "django", made, seconds, bundle)
    with serve_directory(bundle) as client:
        assert get_pages(client) == expected


def get_pages(client):
    """The pages without the token of the form, which differs."""
    answers = {path: client.get(path) for path in DJANGO_PATHS}
    return {
        path: (answer.status_code, answer.text.partition("csrfmiddlewaretoken")[0])
        for path, answer in answers.items()
    }
