"""``get_or_create`` on a platform that loses responses."""

import pytest

from mastra_core.errors import ApiError, AuthError
from mastra_deployer.kit import connect, create_new, get_or_create
from mastra_deployer.kit.clock import skip_waits
from tests.scripted_server import serve


class AppStore:
    """A platform that creates an app on POST.

    ``rejections`` are statuses of a POST that creates nothing; ``faults`` are statuses of one that
    creates; the app is missing from the next ``hidden`` lists.
    """

    def __init__(self):
        self.apps, self.faults, self.hidden, self.rejections = [], [], 0, []

    def __call__(self, request):
        if request.command == "GET":
            if self.hidden:
                self.hidden -= 1
                return 200, {}, []
            return 200, {}, self.apps
        if self.rejections:
            return self.rejections.pop(0), {}, {}
        self.apps.append(len(self.apps))
        fault = self.faults.pop(0) if self.faults else 201
        return fault, {}, {"code": "taken"} if fault == 412 else self.apps[-1]


@pytest.fixture
def store():
    return AppStore()


@pytest.fixture
def create(store):
    with serve(store) as platform, connect(platform.url) as client, skip_waits():

        def find():
            found = client.get("/apps").json()
            return {"id": found[0]} if found else None

        yield lambda **options: get_or_create(
            find, lambda: {"id": client.post("/apps").json()}, **options
        )


def test_an_existing_app_is_not_created(create, store):
    store.apps = [7]
    assert create() == {"id": 7}
    assert store.apps == [7]


def test_an_empty_value_means_that_there_is_none(store):
    """Before the request that creates, and after one whose response was lost."""
    store.faults = [500, 500]
    with serve(store) as platform, connect(platform.url) as client, skip_waits():
        answers = [{}, {}, {"id": 0}]
        assert get_or_create(
            lambda: answers.pop(0), lambda: {"id": client.post("/apps").json()}
        ) == {"id": 0}
        assert answers == [] and store.apps == [0]
        with pytest.raises(ApiError):
            get_or_create(dict, lambda: {"id": client.post("/apps").json()})


def test_a_missing_app_is_created_once(create, store):
    assert create() == {"id": 0}
    assert create() == {"id": 0}
    assert store.apps == [0]


@pytest.mark.parametrize("fault", [0, 500, 502, 503, 504, 409, 408])
def test_a_lost_response_is_looked_up(create, store, fault):
    store.faults = [fault]
    assert create() == {"id": 0}
    assert store.apps == [0]


def test_a_list_that_lags_behind_is_read_again(create, store):
    store.faults, store.hidden = [500], 4
    assert create() == {"id": 0}
    assert store.apps == [0]


def test_a_failed_create_raises_and_the_next_run_creates(create, store):
    store.rejections = [500]
    with pytest.raises(ApiError) as raised:
        create()
    assert raised.value.status == 500
    assert store.apps == []
    assert create() == {"id": 0}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_rejected_create_is_not_looked_up(create, store, status):
    store.rejections = [status]
    with pytest.raises(ApiError) as raised:
        create()
    assert raised.value.status == status


@pytest.mark.parametrize("code", [412, "taken"])
def test_a_conflict_in_the_words_of_the_platform_is_looked_up(create, store, code):
    store.faults = [412]
    assert create(conflict_codes=(code,)) == {"id": 0}
    assert store.apps == [0]


def test_a_conflict_without_the_object_is_the_platforms_error(create, store):
    store.rejections = [412]
    with pytest.raises(ApiError) as raised:
        create(conflict_codes=(412,))
    assert raised.value.status == 412


def test_a_rejected_token_raises_auth_error(create, store):
    store.rejections = [401]
    with pytest.raises(AuthError):
        create()


@pytest.fixture
def create_another(store):
    """Return a function that creates an app beside the existing ones."""
    with serve(store) as platform, connect(platform.url) as client, skip_waits():
        yield lambda: create_new(
            lambda: ({"id": each} for each in client.get("/apps").json()),
            lambda: {"id": client.post("/apps").json()},
            get_id=lambda app: app["id"],
        )


@pytest.mark.parametrize("fault", [None, 0, 500, 409])
def test_a_new_app_is_created_once_beside_others(create_another, store, fault):
    store.apps, store.faults = [0, 1], [] if fault is None else [fault]
    assert create_another() == {"id": 2}
    assert store.apps == [0, 1, 2]


def test_an_older_app_is_not_taken_for_the_new_one(create_another, store):
    store.apps, store.rejections = [0, 1], [500]
    with pytest.raises(ApiError):
        create_another()
    assert store.apps == [0, 1]
