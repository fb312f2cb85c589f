"""Making something that must not be there twice, on a platform that loses answers."""

import pytest

from mastra_core.errors import ApiError, AuthError
from mastra_deployer.kit import connect, get_or_create
from mastra_deployer.kit.clock import no_waiting
from tests.deployer.kit.scripted_server import serving


class Store:
    """A platform that creates on POST, then answers as it is told to."""

    def __init__(self):
        self.made, self.faults, self.hidden, self.before = [], [], 0, []

    def __call__(self, request):
        if request.command == "GET":
            if self.hidden:
                self.hidden -= 1
                return 200, {}, []
            return 200, {}, self.made
        if self.before:
            return self.before.pop(0), {}, {}
        self.made.append(len(self.made))
        return (self.faults.pop(0) if self.faults else 201), {}, self.made[-1]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def make(store):
    with serving(store) as platform, connect(platform.url) as client, no_waiting():

        def find():
            found = client.get("/apps").json()
            return {"id": found[0]} if found else None

        yield lambda: get_or_create(find, lambda: {"id": client.post("/apps").json()})


def test_what_is_there_is_not_made(make, store):
    store.made = [7]
    assert make() == {"id": 7}
    assert store.made == [7]


def test_what_is_not_there_is_made(make, store):
    assert make() == {"id": 0}
    assert make() == {"id": 0}
    assert store.made == [0]


@pytest.mark.parametrize("fault", [0, 500, 502, 503, 504, 409, 408])
def test_a_lost_answer_is_looked_up(make, store, fault):
    store.faults = [fault]
    assert make() == {"id": 0}
    assert store.made == [0]


def test_a_list_that_lags_behind_is_looked_at_again(make, store):
    store.faults, store.hidden = [500], 4
    assert make() == {"id": 0}
    assert store.made == [0]


def test_what_was_not_made_is_an_error_and_the_next_run_makes_it(make, store):
    store.before = [500]
    with pytest.raises(ApiError) as raised:
        make()
    assert raised.value.status == 500
    assert store.made == []
    assert make() == {"id": 0}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_clear_no_is_not_looked_up(make, store, status):
    store.before = [status]
    with pytest.raises(ApiError) as raised:
        make()
    assert raised.value.status == status


def test_a_refused_token_is_one(make, store):
    store.before = [401]
    with pytest.raises(AuthError):
        make()
