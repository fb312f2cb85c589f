"""Imports that are postponed to the first use of a module."""

import importlib
import importlib.util
import sys
import threading

import pytest

from mastra_core.deferred_imports import defer_imports

SOURCE = """
import time
from .part import Thing
time.sleep(0.05)
value = 1
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The name of a package with a module, which is removed after the test."""
    name = "deferred_sample"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(SOURCE)
    (tmp_path / name / "part.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[each]


def import_deferred(name):
    with defer_imports(name):
        assert importlib.util.find_spec(name).name == name
        return importlib.import_module(name)


def test_the_module_is_imported_when_it_is_used(package):
    module = import_deferred(package)
    assert package not in sys.modules
    assert module.value == 1
    assert sys.modules[package] is not module
    assert "value" in dir(module)


def test_a_change_reaches_the_module(package):
    module = import_deferred(package)
    module.value = 2
    assert importlib.import_module(package).value == module.value == 2
    del module.value
    assert "value" not in vars(sys.modules[package])
    with pytest.raises(AttributeError, match="value"):
        module.value  # noqa: B018  # it raises


def test_a_part_of_the_package_is_imported_once(package):
    module = import_deferred(package)
    part = importlib.import_module(f"{package}.part")
    assert importlib.import_module(package).Thing is part.Thing
    assert module.Thing is part.Thing


def test_threads_that_use_it_at_the_same_time_get_the_same_module(package):
    module, found = import_deferred(package), []
    threads = [threading.Thread(target=lambda: found.append(module.value)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8


def test_other_names_keep_their_meaning():
    with defer_imports("json", "deferred_nowhere"):
        assert sys.modules["json"].loads("1") == 1
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("deferred_nowhere")
    assert "json" in sys.modules
