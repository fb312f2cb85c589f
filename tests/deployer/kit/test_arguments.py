"""An argument that cannot work is reported, and has no other effect."""

import io
import math
import zipfile

import pytest

from mastra_core.errors import BundleError, ConfigError, DeployError, MastraError
from mastra_deployer.kit import (
    DeploymentTags,
    FileManifest,
    check_port,
    connect,
    create_zip,
    iter_entries,
    manylinux,
    poll,
    quote_segment,
    require_https,
    split_file,
    tar_directory,
    temporary_directory,
    zip_directory,
)


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "run.sh").write_text("exit 1")
    return tmp_path / "app"


@pytest.mark.parametrize("prefix", ["", "../app", "a/b"])
def test_prefix_that_would_remove_other_directories(directory, prefix):
    (directory / "data").mkdir()
    with (
        pytest.raises(ValueError, match="not the beginning"),
        temporary_directory(directory, prefix),
    ):
        pass
    assert (directory / "data").is_dir()


def test_archive_of_a_missing_directory(directory, tmp_path):
    for missing in (tmp_path / "none", directory / "run.sh"):
        with pytest.raises(BundleError, match="is not a directory"):
            create_zip(missing)
        with pytest.raises(BundleError, match="is not a directory"):
            tar_directory(missing, io.BytesIO())
    assert [*iter_entries(tmp_path / "none")] == []
    assert FileManifest.from_directory(tmp_path / "none").paths == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": "run.sh"}, "paths='run.sh' is text"),
        ({"paths": ["/etc/passwd"]}, "leads out of the directory"),
        ({"paths": ["../app/run.sh"]}, "leads out of the directory"),
        ({"paths": ["none"]}, "is not a file"),
        ({"executables": "bin/run.sh"}, "executables='bin/run.sh' is text"),
    ],
)
def test_paths_of_an_archive(directory, options, message):
    with pytest.raises(MastraError, match=message):
        create_zip(directory, **options)


def test_paths_as_texts(directory, tmp_path):
    zip_directory(str(directory), str(tmp_path / "app.zip"), paths=["run.sh", "./run.sh"])
    assert zipfile.ZipFile(tmp_path / "app.zip").namelist() == ["run.sh"]
    tar_directory(str(directory), io.BytesIO())


@pytest.mark.parametrize("size", [0, -1])
def test_parts_without_bytes(directory, size):
    with pytest.raises(ValueError, match="cannot have"):
        next(split_file(directory / "run.sh", size))


def test_empty_segment_would_select_the_list():
    with pytest.raises(DeployError, match="is empty"):
        quote_segment("")
    assert quote_segment("a\ud800") == "a%EF%BF%BD"


@pytest.mark.parametrize(
    "options",
    [{"timeout": math.nan}, {"timeout": -1}, {"interval": 0}, {"max_interval": math.inf}],
)
def test_times_of_poll(options):
    with pytest.raises(ConfigError, match="is not a valid number of seconds"):
        poll(lambda: 1, bool, **{"timeout": 1, **options})


@pytest.mark.parametrize("arguments", [("x86_64", "3.12", "2.28"), ("",), ("x86_64", "", "")])
def test_tag_that_no_wheel_has(arguments):
    with pytest.raises(ValueError, match="is not a tag of wheels"):
        manylinux(*arguments)


@pytest.mark.parametrize("port", [-1, 70000])
def test_port_out_of_range(port):
    with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{port}"):
        check_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": None}, "'base_url' has the wrong type"),
        ({"token": "hunter2"}, "The token of connect is text"),
        ({"timeout": 0}, "timeout=0 is not a valid number"),
        ({"retry_codes": "Throttling"}, "'retry_codes' has the wrong type"),
    ],
)
def test_options_of_a_client(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        connect(**{"base_url": "http://127.0.0.1:1", **options})
    assert "hunter2" not in str(caught.value)


def test_address_of_another_type():
    with pytest.raises(ConfigError, match="'url' has the wrong type"):
        require_https(None)


def test_pattern_that_gives_all_fields_one_name():
    tags = DeploymentTags(fingerprint="f", stage="production")
    for convert in (tags.to_fields, lambda pattern: DeploymentTags.from_fields({}, pattern)):
        with pytest.raises(ValueError, match="contains neither"):
            convert("mastra")
