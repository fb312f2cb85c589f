"""The processes of a function: its Python, those that the app starts, and what they leave."""

import os
import signal
from pathlib import Path

import pytest

from tests.netlify.function_process import (
    check_children,
    find_foreign_files,
    run_function,
    unpack_without_modes,
    wait_until_ended,
)

pytestmark = pytest.mark.slow


def test_nothing_of_the_host_is_loaded(function, function_directory):
    process = function.client.get("/").json()["process"]
    maps = Path(f"/proc/{process}/maps").read_text()
    assert find_foreign_files(maps, function_directory) == []


def test_children_of_the_app_have_its_packages_and_libraries(function, function_directory):
    check_children(function.client.get("/children").json(), function_directory)


def test_a_function_without_modes_works_and_can_write_to_tmp_only(function_archive, tmp_path):
    directory = unpack_without_modes(function_archive, tmp_path / "function")
    environment = {"FAILURE": str(tmp_path / "none")}
    with run_function(directory, tmp_path / "tmp", environment) as function:
        results = function.client.get("/children").json()
        maps = results["maps"].replace(str(tmp_path / "tmp"), str(directory))  # the loader's copy
        check_children({**results, "maps": maps}, directory)


def test_a_killed_python_is_replaced_and_a_failed_start_is_tried_again(
    function_directory, tmp_path
):
    failure = tmp_path / "failure"
    with run_function(function_directory, tmp_path / "tmp", {"FAILURE": str(failure)}) as function:
        client = function.client
        process, child = client.get("/leave-children").json()
        kill(process)
        wait_until_ended(child)
        assert client.post("/", content=b"hello").json()["process"] != process
        failure.touch()
        kill(client.get("/").json()["process"])
        for _ in range(2):
            response = client.get("/")
            assert response.status_code == 500
            assert response.json() == {"error": "The application cannot start."}
        assert "a word that only the log has" in function.log.read_text()
        failure.unlink()
        assert client.get("/").status_code == 200


def kill(process):
    os.kill(process, signal.SIGKILL)
    wait_until_ended(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_an_instance_ends(function_directory, tmp_path, number):
    environment = {"FAILURE": str(tmp_path / "none")}
    with run_function(function_directory, tmp_path / "tmp", environment) as function:
        processes = function.client.get("/leave-children").json()
        function.process.send_signal(number)
        function.process.wait()
        wait_until_ended(*processes)
        assert list(function.temporary.iterdir()) == []
        assert "the lifespan ended" in function.log.read_text()


@pytest.mark.full
def test_twenty_instances_leave_nothing(function_directory, tmp_path):
    processes = []
    for number in range(20):
        environment = {"FAILURE": str(tmp_path / "none")}
        temporary = tmp_path / f"tmp-{number}"
        with run_function(function_directory, temporary, environment) as function:
            processes += function.client.get("/leave-children").json()
        wait_until_ended(*processes)
        assert list(temporary.iterdir()) == []
