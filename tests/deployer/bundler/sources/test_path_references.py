"""Which paths a module names, read without running it."""

from pathlib import Path

import pytest

from mastra_deployer.bundler.sources.module_code import parse_module
from mastra_deployer.bundler.sources.path_references import find_path_references

FILE = Path("/p/src/shop/pages.py")


def find(source):
    code = parse_module(source.encode(), "shop")
    return {(str(item.path), item.relative) for item in find_path_references(code, FILE)}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("X = Path(__file__).parent / 'a'", "/p/src/shop/a"),
        ("X = Path(__file__).parents[2] / 'a' / 'b.md'", "/p/a/b.md"),
        ("X = Path(__file__).resolve().parent.parent / 'a'", "/p/src/a"),
        ("BASE = Path(__file__).parents[2]\nX = BASE / 'a'", "/p/a"),
        ("BASE: Path = Path(__file__).parents[2]\ndef f(): return BASE.joinpath('a', 'b')", "/p/a/b"),
        ("X = os.path.join(os.path.dirname(__file__), 'a')", "/p/src/shop/a"),
        ("X = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'a')", "/p/src/shop/../a"),
        ("X = os.path.dirname(__file__) + '/a'", "/p/src/shop/a"),
        ("BASE = Path(__file__).parents[2]\ndef f(n): return BASE / 'a' / f'{n}.md'", "/p/a"),
        ("BASE = Path(__file__).parents[2]\ndef f(n): return f'{BASE}/a/{n}.md'", "/p/a"),
        ("BASE = Path(__file__).parents[2]\nX = f'{BASE}/a.md'", "/p/a.md"),
        ("app = Flask(__name__)", "/p/src/shop/templates"),
        ("app = quart.Quart(__name__)", "/p/src/shop/static"),
        ("app = Flask('x', static_folder='a')", "/p/src/shop/a"),
        ("app = Flask('x', template_folder='../a')", "/p/src/shop/../a"),
        ("app = Dash('x', assets_folder='a')", "/p/src/shop/a"),
    ],
)  # fmt: skip
def test_paths_that_are_known(source, path):
    assert (path, False) in find(source)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("X = settings.BASE_DIR / 'a'", "a"),
        ("X = BASE_DIR / 'a' / 'b'", "a/b"),
        ("X = Path(shop.__file__).parent / 'a'", "a"),
        ("X = load('a/b.md')", "a/b.md"),
        ("STATICFILES_DIRS = [BASE_DIR / 'a']", "a"),
        ("X = load('a.graphql')", "a.graphql"),
        ("X = load(['b.po', 'a.yaml'])", "a.yaml"),
        ("app.add_api(spec='a.yaml')", "a.yaml"),
        ("Flask('x', static_folder=BASE / 'a')", "a"),
    ],
)
def test_paths_below_an_unknown_directory(source, path):
    assert (path, False) in find(source)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("open('a.txt')", "a.txt"),
        ("open('a.txt', 'rb')", "a.txt"),
        ("Path('a')", "a"),
        ("Path('a') / name", "a"),
        ("Path.cwd() / 'a'", "a"),
        ("Jinja2Templates(directory='a')", "a"),
        ("StaticFiles('a')", "a"),
        ("FileSystemLoader(['a', 'b'])", "b"),
        ("TEMPLATES = [{'DIRS': ['a']}]", "a"),
        ("STATIC_ROOT = 'a'", "a"),
        ("open(f'a/{name}.md')", "a"),
        ("Config('a.ini')", "a.ini"),
        ("fast_app(static_path='a')", "a"),
        ("Datasette(plugins_dir='a')", "a"),
        ("App(static_dirs=['b', 'a'])", "a"),
        ("static_file(name, root='a')", "a"),
        ("translation('shop', localedir='a')", "a"),
    ],
)
def test_paths_relative_to_the_working_directory(source, path):
    assert (path, True) in find(source)


@pytest.mark.parametrize(
    "source",
    [
        "X = BASE / 'a' / 'b'",
        "X = BASE.joinpath('a').joinpath('b')",
        "X = os.path.join(BASE, 'a', 'b')",
        "X = BASE / 'a/b'",
    ],
)
def test_only_the_whole_path_counts(source):
    assert find(source) == {("a/b", False)}


@pytest.mark.parametrize(
    "source",
    [
        "open('a.txt', 'w')",
        "open('a.txt', mode='ab')",
        "(Path(__file__).parent / 'a').mkdir()",
        "LOG = Path(__file__).parent / 'a'\nLOG.write_text('')",
        "x = a / b",
        "x = 'a'",
        "x = 'a b/c d'",
        "x = 'https://a/b'",
        "x = files('shop') / 'a'",
        "x = 1 / 2",
        "x = 'a.txt'",
        "save('a.txt')",
        "table.to_csv('a.csv')",
        "name.endswith('a.txt')",
        "f(output_dir='a', log_file='b', upload_folder='c', secrets_dir='d')",
        "f(path='a', root_path='b', base_path='c', import_path='d', name='e')",
    ],
)
def test_what_is_no_path_to_read(source):
    assert find(source) == set()
