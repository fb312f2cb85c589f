"""Deployers with one defect each: the defect, the test that finds it, and a part of its message."""

from tests.conformance.deployer_sources import replace_source

BUNDLE = "    build.copy_to(directory)\n"
SEAL = '    return Bundle.seal(build, directory, "acme")\n'
CLIENT = '    return open_client(settings.api_url, credentials, "ACME_TOKEN", name="Acme")\n'
UPLOAD = '        report.step("Uploading")\n'
APP = "        app = get_or_create(\n"
RELEASE = '        client.put(f"{path}/{stage}", json=release)\n'
DELETE = '            client.delete(path, extensions={"mastra_accept": (404,)})\n'
PROMOTE = "id: str, report: Report) -> Deployment:\n"


def write_file(text):
    """Return a change that adds a file to the bundle; `text` is Python."""
    return (BUNDLE, f'{BUNDLE}    (directory / "made.txt").write_text({text})\n')


def run_line(line):
    """Return a change that runs one more line while the bundle is created."""
    return (BUNDLE, f"{BUNDLE}    {line}\n")


TARGET = {
    "an async hook": (
        "hooks_are_valid",
        "async mastra_bundle",
        ("def mastra_bundle", "async def mastra_bundle"),
    ),
    "a misspelt hook": (
        "hooks_are_valid",
        "mastra_deplyo",
        ("def mastra_deploy(", "def mastra_deplyo("),
    ),
    "a hook without its mark": (
        "hooks_are_valid",
        "lack @hookimpl",
        ("@hookimpl\ndef mastra_promote", "def mastra_promote"),
    ),
    "an argument that no hook has": (
        "hooks_are_valid",
        "folder",
        ("directory: Path) -> Bundle", "directory: Path, folder: Path) -> Bundle"),
    ),
    "settings that can be changed": (
        "settings_are_frozen_and_name_their_target",
        "frozen=True is missing",
        ("@dataclass(frozen=True, kw_only=True)", "@dataclass(kw_only=True)"),
    ),
    "settings of another target": (
        "settings_are_frozen_and_name_their_target",
        "acne",
        ('target: ClassVar[str] = "acme"', 'target: ClassVar[str] = "acne"'),
    ),
    "a secret setting that reaches no hook": (
        "credentials_are_environment_variables",
        "'token' reaches no hook",
        ('metadata={"env": "ACME_TOKEN"}', 'metadata={"env": "ACME_SECRET"}'),
    ),
    "a summary of two lines": (
        "the_target_has_a_description",
        "one line",
        ("Acme's machines, which", "Acme's machines\\n which"),
    ),
    "heavy imports at its top": (
        "the_module_imports_only_core",
        "imports httpx",
        ("import datetime as dt\n", "import datetime as dt\nimport httpx\n"),
    ),
    "a variable of the platform": (
        "reserved_variables_are_refused",
        "is accepted",
        ('("HOST", "PORT")', '("HOST",)'),
    ),
    "a KeyError for a missing token": (
        "missing_credentials_raise_auth_error",
        "KeyError",
        (
            'open_client(settings.api_url, credentials, "ACME_TOKEN", name="Acme")',
            'open_client(settings.api_url, {"A": dict(credentials)["ACME_TOKEN"]}, "A")',
        ),
    ),
}

BUNDLES = {
    "a timestamp": (
        "bundling_is_reproducible",
        "made.txt",
        write_file("str(dt.date.today())"),
    ),
    "the minute in it": (
        "bundling_is_reproducible",
        "made.txt",
        write_file('dt.datetime.now().isoformat(timespec="minutes")'),
    ),
    "the files' times in it": (
        "bundling_is_reproducible",
        "made.txt",
        write_file('str((build.directory / "index.py").stat().st_mtime)'),
    ),
    "a set's order": (
        "bundling_is_reproducible_in_another_process",
        "made.txt",
        write_file('" ".join({"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"})'),
    ),
    "a file beside its directory": (
        "bundling_writes_only_into_its_directory",
        "more beside",
        run_line('(directory.parent / "bundle.log").write_text("done")'),
    ),
    "a file at home": (
        "bundling_writes_only_into_its_directory",
        "left behind",
        run_line('(Path.home() / ".acme").write_text("done")'),
    ),
    "a temporary file that stays": (
        "bundling_writes_only_into_its_directory",
        "left behind",
        run_line('import tempfile; Path(tempfile.mkstemp()[1]).write_text("done")'),
    ),
    "a change of the build": (
        "bundling_does_not_change_the_build",
        "assert",
        run_line('(build.directory / "app/empty.txt").unlink()'),
    ),
    "writing through a link": (
        "bundling_does_not_change_the_build",
        "assert",
        run_line('(directory / "index.py").write_text("# acme")'),
    ),
    "a request, and silence where it fails": (
        "bundling_needs_no_network",
        "were tried",
        run_line(
            "import contextlib, socket\n    with contextlib.suppress(OSError):\n"
            '        socket.create_connection(("127.0.0.1", 9))'
        ),
    ),
    "a look at the token": (
        "bundling_needs_no_credentials",
        "made.txt",
        write_file('str("ACME_TOKEN" in __import__("os").environ)'),
    ),
    "the token in base64": (
        "a_bundle_holds_no_secret",
        "made.txt has a secret",
        write_file(
            '__import__("base64").b64encode(("x:" + __import__("os").environ.get("ACME_TOKEN", "")'
            ").encode()).decode()"
        ),
    ),
    "a value of the environment in an archive": (
        "a_bundle_holds_no_secret",
        "made.zip has a secret",
        run_line(
            "import os, zipfile\n    with zipfile.ZipFile(directory / 'made.zip', 'w', 8) as made:\n"
            "        made.writestr('env', os.environ.get('GREETING', '') * 50)"
        ),
    ),
    "the path of the build": (
        "a_bundle_has_no_local_paths_or_names",
        "made.txt has a local",
        write_file("str(build.directory)"),
    ),
    "the user's name": (
        "a_bundle_has_no_local_paths_or_names",
        "made.txt has a local",
        write_file('__import__("getpass").getuser()'),
    ),
    "the host's name": (
        "a_bundle_has_no_local_paths_or_names",
        "made.txt has a local",
        write_file('__import__("socket").gethostname()'),
    ),
    "a file after the seal": (
        "a_copied_bundle_loads",
        "changed after it was made",
        (
            SEAL,
            SEAL.replace("return", "made =")
            + '    (directory / "late.txt").write_text("late")\n    return made\n',
        ),
    ),
    "no seal": (
        "a_copied_bundle_loads",
        "did not seal",
        (SEAL, "    return Bundle(directory=directory, manifest=build.manifest)\n"),
    ),
    "empty files left out": (
        "every_file_of_the_app_is_live",
        "empty.txt",
        run_line(
            '[path.unlink() for path in directory.rglob("*")'
            " if path.is_file() and not path.stat().st_size]"
        ),
    ),
}

PREVIEWS = {
    "a handler that does not parse": (
        "added_modules_parse",
        "handler.py does not parse",
        run_line('(directory / "handler.py").write_text("def handle(event:\\n")'),
    ),
    "a launcher that does not start": (
        "a_preview_answers",
        "before it responded",
        run_line(
            '(directory / "index.py").unlink()\n'
            '    (directory / "index.py").write_text("import no_such_module")'
        ),
    ),
    "a preview that raises": (
        "a_preview_answers",
        "There is no preview today",
        (
            "    command = [sys.executable",
            "    raise DeployError('There is no preview today.')\n    command = [sys.executable",
        ),
    ),
    "a preview without the variables": (
        "a_preview_answers",
        "the workflow answered",
        ("env={**base, **values}", "env={**base, 'GREETING': 'x'}"),
    ),
}

DEPLOYS = {
    "an unpublished deploy that is published": (
        "an_unpublished_deploy_is_not_live",
        "it is live without a promotion",
        ("    refuse_draft(request)\n", ""),
    ),
    "a draft that does not say so": (
        "an_unpublished_deploy_is_not_live",
        "draft is false",
        ("    refuse_draft(request)\n", ""),
        (
            RELEASE,
            "        if not request.promote:\n"
            '            return Deployment(target="acme", id=digest, url="/", environment=stage,'
            f" created=dt.datetime.now(dt.UTC), live=False)\n{RELEASE}",
        ),
    ),
    "no answer": (
        "deploy_returns_the_live_deployment",
        "returned NoneType",
        ('    return _to_deployment(state["deployment"])\n', ""),
    ),
    "another id": (
        "deploy_returns_the_live_deployment",
        "another deployment",
        ('data.pop("created"))\n', 'data.pop("created"))\n    data["id"] = data["id"][:7]\n'),
    ),
    "a time without a zone": (
        "deploy_returns_the_live_deployment",
        "no time zone",
        ('data.pop("created"))', 'data.pop("created")).replace(tzinfo=None)'),
    ),
    "the first of equal files only": (
        "every_file_is_deployed_unchanged",
        "other files",
        (
            "json=manifest.paths)",
            "json={manifest.files[d][0].relative_to(bundle.directory).as_posix(): d"
            " for d in manifest.files})",
        ),
    ),
    "text files with other line ends": (
        "every_file_is_deployed_unchanged",
        "these files differ",
        (
            "    manifest, digest = FileManifest.from_directory(bundle.directory), bundle.manifest.digest\n",
            "    import shutil, tempfile\n    place = Path(tempfile.mkdtemp()) / 'x'\n"
            "    shutil.copytree(bundle.directory, place)\n"
            "    index = place / 'index.py'\n"
            "    index.write_bytes(index.read_bytes().replace(b'\\n', b'\\r\\n'))\n"
            "    manifest, digest = FileManifest.from_directory(place), bundle.manifest.digest\n",
        ),
    ),
    "no environment": (
        "environment_variables_are_deployed",
        "GREETING",
        ("{k: v.reveal() for k, v in request.env.items()}", "{}"),
    ),
    "variables after the release": (
        "environment_variables_are_deployed",
        "GREETING",
        ('"env": env, ', ""),
        (RELEASE, RELEASE + '        client.put(f"{path}/env/{stage}", json=env)\n'),
    ),
    "variables before the release": (
        "concurrent_deploys_do_not_mix",
        "with the variables of another",
        ('"env": env, ', ""),
        (RELEASE, '        client.put(f"{path}/env/{stage}", json=env)\n' + RELEASE),
    ),
    "a need of the build": (
        "deploying_needs_only_the_bundle",
        "index.py",
        (BUNDLE, f"{BUNDLE}    BUILDS.append(build.directory)\n"),
        ("Env = Mapping", "BUILDS: list[Path] = []\nEnv = Mapping"),
        (UPLOAD, f'{UPLOAD}        (BUILDS[-1] / "index.py").read_bytes()\n'),
    ),
    "everything, always": (
        "an_unchanged_bundle_is_not_sent_again",
        "were sent again",
        ('json=manifest.paths).json()["missing"]', "json=manifest.paths) and list(manifest.files)"),
    ),
    "everything, where something changed": (
        "a_change_sends_only_the_change",
        "for one small file",
        (
            'client.put(f"{path}/deployments/{digest}", json=manifest.paths).json()["missing"]',
            'list(manifest.files) if client.put(f"{path}/deployments/{digest}", json=manifest.paths)'
            '.json()["missing"] else []',
        ),
    ),
    "a preview in production": (
        "a_preview_does_not_change_production",
        "preview",
        ("    stage = request.environment\n", '    stage = "production"\n'),
    ),
}

FAULTS = {
    "no second try": (
        "deploy_retries_after_503",
        "503",
        (
            CLIENT,
            "    import httpx\n    from mastra_core.errors import ApiError\n"
            "    def strict(answer):\n        if answer.status_code >= 400:\n"
            '            raise ApiError(f"Acme answered {answer.status_code}.")\n'
            "    return httpx.Client(base_url=settings.api_url, event_hooks={'response': [strict]},\n"
            "        headers={'authorization': 'Bearer ' + credentials['ACME_TOKEN'].reveal()})\n",
        ),
    ),
    "no second try after 429": (
        "deploy_retries_after_429",
        "429",
        (
            CLIENT,
            "    from mastra_deployer.kit import connect\n"
            "    client = connect(settings.api_url, credentials['ACME_TOKEN'])\n"
            "    send = client._transport.handle_request\n"
            "    def eager(request):\n        answer = client._transport._inner.handle_request(request)\n"
            "        answer.read()\n        return answer if answer.status_code == 429 else send(request)\n"
            "    client._transport.__class__ = type('Eager', (type(client._transport),), {})\n"
            "    client._transport.__class__.handle_request = lambda _, request: eager(request)\n"
            "    return client\n",
        ),
    ),
    "a create that is repeated blindly": (
        "a_lost_response_creates_no_duplicate",
        "created again: POST /apps",
        (
            "get_or_create(\n            lambda: _find_app(client, settings),"
            " lambda: _create_app(client, settings)\n        )",
            "_find_app(client, settings) or _twice(lambda: _create_app(client, settings))",
        ),
        (
            "def _open_api(",
            "def _twice(call):\n    from mastra_core.errors import ApiError\n    try:\n"
            "        return call()\n    except ApiError:\n        return call()\n\n\ndef _open_api(",
        ),
    ),
    "a release before the files": (
        "no_partial_deployment_is_live",
        "a part of it is live",
        (
            "        upload(\n",
            '        early = client.put(f"{path}/deployments/{digest}", json=manifest.paths)\n'
            f"{RELEASE}        upload(\n",
        ),
    ),
    "a success that is none": (
        "no_partial_deployment_is_live",
        "it succeeded and is not live",
        (
            RELEASE,
            "        from mastra_core.errors import ApiError\n        try:\n"
            f"    {RELEASE}        except ApiError:\n"
            '            return Deployment(target="acme", id=digest, url="/", environment=stage,'
            " created=dt.datetime.now(dt.UTC))\n",
        ),
    ),
    "a refused token that is any error": (
        "a_rejected_token_raises_auth_error",
        "It did not work",
        (
            UPLOAD,
            f"{UPLOAD}        from mastra_core.errors import AuthError\n"
            "        try:\n            client.get('/user')\n        except AuthError:\n"
            "            raise DeployError('It did not work.') from None\n",
        ),
    ),
    "words that are lost": (
        "a_platform_error_keeps_its_message",
        "message is lost",
        (
            APP,
            "        from mastra_core.errors import ApiError\n"
            "        try:\n            _create_app(client, settings)\n        except ApiError:\n"
            f"            raise DeployError('It did not work.') from None\n{APP}",
        ),
    ),
    "errors that are swallowed": (
        "a_platform_error_keeps_its_message",
        "DID NOT RAISE",
        (
            APP,
            "        from mastra_core.errors import ApiError\n"
            "        try:\n            _create_app(client, settings)\n        except ApiError:\n"
            '            return Deployment(target="acme", id=digest, url="/", environment=stage,'
            f" created=dt.datetime.now(dt.UTC))\n{APP}",
        ),
    ),
    "a failure that is ignored": (
        "a_failed_deployment_raises_deployment_failed",
        "DID NOT RAISE",
        ('    if state["state"] == "failed":', "    if False:"),
        ('    if state["state"] == "failed":', "    if False:"),
    ),
    "a failure without its words": (
        "a_failed_deployment_raises_deployment_failed",
        "message is lost",
        ("{state['error']}", "it failed"),
    ),
    "asking for ever": (
        "an_endless_deployment_raises_deploy_timeout",
        "stopped answering",
        ("timeout=600,", "timeout=10**9,"),
    ),
    "refusing not to wait after the upload": (
        "deploy_without_wait_returns_building",
        "Acme must be waited for",
        (
            RELEASE,
            f"        if not request.wait:\n            raise DeployError('Acme must be waited for.')\n{RELEASE}",
        ),
    ),
    "waiting where nobody waits": (
        "deploy_without_wait_returns_building",
        "did not finish within",
        (" or not request.wait", ""),
    ),
    "not waiting for the end": (
        "deploy_returns_the_live_deployment",
        "nothing is live",
        ('lambda state: state["state"] != "building" or not request.wait', "lambda state: True"),
        ("created=created, **data)", 'created=created, **{**data, "live": True})'),
    ),
}

READ_ONLY = {
    "a plan that creates": (
        "read_only_hooks_change_nothing",
        "plan writes",
        (
            '        stored = client.get("/blobs")',
            '        client.post("/apps", json={"name": settings.app})\n'
            '        stored = client.get("/blobs")',
        ),
    ),
    "a plan that sends": (
        "read_only_hooks_change_nothing",
        "plan writes",
        (
            '        stored = client.get("/blobs")',
            "        d = next(iter(manifest.files))\n"
            '        client.put(f"/blobs/{d}", content=manifest.read(d))\n'
            '        stored = client.get("/blobs")',
        ),
    ),
    "a plan with wrong bytes": (
        "a_plan_matches_the_deploy",
        "more is planned",
        ("upload=new", "upload=manifest.get_size()"),
    ),
    "a plan without the app": (
        "a_plan_matches_the_deploy",
        "none planned",
        (
            "creates=tuple(resource for resource, is_missing in missing.items() if is_missing)",
            "creates=()",
        ),
    ),
    "a doctor who does not look": (
        "doctor_reports_a_rejected_token",
        "nothing wrong",
        ('        client.get("/user")\n', "        pass\n"),
    ),
    "a doctor who wants the app there": (
        "doctor_finds_no_error_on_a_healthy_platform",
        "no app",
        (
            '        client.get("/user")\n    return []',
            '        client.get("/user")\n'
            "        return [] if _find_app(client, settings) else [Problem(message='There is no app.')]",
        ),
    ),
    "deployments, the oldest first": (
        "deployments_are_newest_first_and_one_is_live",
        "newest first",
        ("for item in items[:limit]]", "for item in items[:limit][::-1]]"),
    ),
    "several that are live": (
        "deployments_are_newest_first_and_one_is_live",
        "exactly one is live",
        ("created=created, **data)", 'created=created, **{**data, "live": True})'),
    ),
    "more than were asked for": (
        "deployments_are_newest_first_and_one_is_live",
        "at most the limit",
        ("for item in items[:limit]]", "for item in items]"),
    ),
    "a fingerprint that comes too early": (
        "a_fingerprint_belongs_to_the_live_deployment",
        "of an aborted deploy",
        (
            UPLOAD,
            f"{UPLOAD}        MARKS[digest] = request.fingerprint\n",
        ),
        ("Env = Mapping", "MARKS: dict[str, str] = {}\nEnv = Mapping"),
        (
            "created=created, **data)",
            'created=created, **{**data, "fingerprint": MARKS.get(data["id"], "")})',
        ),
    ),
    "a fingerprint that is stored with the files": (
        "an_aborted_deploy_leaves_no_fingerprint",
        "of an aborted deploy",
        (UPLOAD, f"{UPLOAD}        MARKS[digest] = request.fingerprint\n"),
        ("Env = Mapping", "MARKS: dict[str, str] = {}\nEnv = Mapping"),
        (
            "created=created, **data)",
            'created=created, **{**data, "fingerprint": data["fingerprint"]'
            ' or MARKS.get(data["id"], "")})',
        ),
    ),
    "an error where there is no app": (
        "a_missing_app_has_no_deployments",
        "TypeError",
        ('["deployments"] if app else []', '["deployments"]'),
    ),
    "no previews in the list": (
        "deployments_include_previews_and_messages",
        "the list lacks the preview",
        (
            "for item in items[:limit]]",
            "for item in items[:limit] if item['environment'] == 'production']",
        ),
    ),
    "no message with the release": (
        "deployments_include_previews_and_messages",
        "without its message",
        (', "message": request.message}', "}"),
    ),
    "the message of the first deploy": (
        "deployments_include_previews_and_messages",
        "it has an old message",
        (
            "created=created, **data)",
            "created=created, **{**data, 'message': NOTES.setdefault(data['id'], data['message'])})",
        ),
        ("Env = Mapping", "NOTES: dict[str, str] = {}\nEnv = Mapping"),
    ),
    "a log without a beginning": (
        "logs_begin_at_a_time",
        "older lines are listed",
        ("if since is None or time >= since:", "if True:"),
    ),
    "a log of all deployments": (
        "logs_are_of_one_deployment",
        "has others' lines",
        ('{"deployment": id or app["live"]}', "{}"),
    ),
    "a log of the live deployment only": (
        "logs_are_of_one_deployment",
        "lacks a line",
        ('id or app["live"]', 'app["live"]'),
    ),
    "a log from the end": (
        "logs_are_in_order",
        "first words",
        ("for line in lines[offset:]:", "for line in lines[offset:][::-1]:"),
    ),
    "a log that expects the app": (
        "logs_without_a_live_deployment_raise",
        "mastra_logs uses an app that does not exist",
        (
            "_require_app(client, settings)\n        query",
            "_find_app(client, settings)\n        query",
        ),
    ),
}

MANAGEMENT = {
    "a promotion that does nothing": (
        "promote_makes_a_deployment_live",
        "not what users see",
        (
            "        return _release(client, _find_path(client, settings), id)\n\n\n@hookimpl\ndef mastra_rollback",
            '        items = client.get(f"{_find_path(client, settings)}/deployments").json()["deployments"]\n'
            '        found = next(item for item in items if item["id"] == id)\n'
            '        return _to_deployment({**found, "live": True})\n\n\n@hookimpl\ndef mastra_rollback',
        ),
    ),
    "a promotion of nothing": (
        "promoting_an_unknown_deployment_raises",
        "DID NOT RAISE",
        (
            PROMOTE,
            PROMOTE
            + "    known = {each.id: each for each in mastra_deployments(settings, credentials, 99)}\n"
            "    if id not in known:\n        return next(iter(known.values()))\n",
        ),
    ),
    "a rollback that expects the app": (
        "a_missing_app_has_no_deployment_to_activate",
        "mastra_rollback uses an app that does not exist",
        (
            "_require_app(client, settings)\n        known",
            "_find_app(client, settings)\n        known",
        ),
    ),
    "an id that is not quoted in a path": (
        "an_id_selects_no_other_path",
        "DID NOT RAISE",
        (
            PROMOTE,
            f'{PROMOTE}    id = id.partition("?")[0].partition("#")[0].rpartition("/")[2]\n',
        ),
    ),
    "a rollback to the newest other one": (
        "rollback_restores_the_previous_deployment",
        "rollback",
        (
            "target = id or earlier",
            "known = mastra_deployments(settings, credentials, 99)\n"
            '        target = id or next((each.id for each in known if not each.live), "")',
        ),
    ),
    "a rollback to nothing": (
        "rollback_without_a_previous_deployment_raises",
        "DID NOT RAISE",
        (
            '            raise DeployError(f"Nothing of {settings.app!r} was live before.", "Deploy it.")\n',
            "            return mastra_deployments(settings, credentials, 1)[0]\n",
        ),
    ),
    "a rollback to a draft": (
        "a_rollback_to_a_draft_raises",
        "DID NOT RAISE",
        ("    refuse_draft(request)\n", ""),
        (
            RELEASE,
            "        if not request.promote:\n"
            '            return Deployment(target="acme", id=digest, url="/", environment=stage,'
            f" created=dt.datetime.now(dt.UTC), live=False, draft=True)\n{RELEASE}",
        ),
    ),
    "a share for the live deployment": (
        "the_live_deployment_is_no_canary",
        "DID NOT RAISE",
        (
            '        refuse_live_canary(id, (_find_app(client, settings) or {}).get("live", ""))\n',
            "",
        ),
    ),
    "a share that is not listed": (
        "a_canary_gets_its_share",
        "the list at 25 percent",
        (
            "return [_to_deployment(item) for item in items[:limit]]",
            'return [_to_deployment({**item, "percent": None}) for item in items[:limit]]',
        ),
    ),
    "a rollback behind the live deployment of a canary": (
        "a_rollback_without_an_id_ends_only_the_canary",
        "the live deployment stays live",
        ('"live" if has_canary else "previous"', '"previous"'),
    ),
    "a canary of another share": (
        "a_canary_gets_its_share",
        "at 25 percent",
        ('"percent": percent}', '"percent": percent // 2}'),
    ),
    "a canary that never becomes live": (
        "a_canary_gets_its_share",
        "not the live one",
        (
            "    if percent == 100:\n            return _release(client, path, id)\n",
            "    percent = min(percent, 99)\n",
        ),
    ),
    "a promotion that leaves the canary's share": (
        "promoting_a_canary_ends_its_share",
        "or a share remains",
        (
            PROMOTE,
            PROMOTE + "    known = mastra_deployments(settings, credentials, 99)\n"
            "    live = next(each.id for each in known if each.live)\n"
            "    mastra_canary(settings, credentials, id, 99)\n"
            "    return next(each for each in known if each.id == id)\n",
        ),
    ),
    "a canary that stays beside the promoted one": (
        "no_share_remains_beside_another_deployment",
        "after promote beside a canary",
        (
            PROMOTE,
            PROMOTE + "    known = mastra_deployments(settings, credentials, 99)\n"
            "    if any(each.live and each.id == id for each in known):\n"
            "        return next(each for each in known if each.id == id)\n",
        ),
    ),
    "variables that a deploy forgets": (
        "variables_survive_a_deploy",
        "lost a variable",
        (
            RELEASE,
            '        names = client.get(f"{path}/env/{stage}").json()["names"]\n'
            '        client.put(f"{path}/env/{stage}", json=dict.fromkeys(names))\n' + RELEASE,
        ),
    ),
    "variables that are not replaced": (
        "variables_survive_a_deploy",
        "lost a variable",
        (
            "        self._put({name: value.reveal() for name, value in values.items()})",
            "        there = self.list()\n        self._put({name: value.reveal() for name, value"
            " in values.items() if name not in there})",
        ),
    ),
    "an unknown variable that is an error": (
        "variables_survive_a_deploy",
        "NEVER_THERE",
        (
            "        self._put(dict.fromkeys(names))",
            "        names = list(names)\n        for name in names:\n"
            "            if name not in self.list():\n"
            "                raise DeployError(f'There is no {name}.')\n"
            "        self._put(dict.fromkeys(names))",
        ),
    ),
    "values in the list": (
        "variables_are_listed_without_values",
        "assert",
        (
            "        self._put({name: value.reveal()",
            "        self.known = {name: value.reveal() for name, value in values.items()}\n        self._put({name: value.reveal()",
        ),
        (
            "return dict.fromkeys(names, self.stage)",
            "return {name: getattr(self, 'known', {}).get(name, '') for name in names}",
        ),
    ),
    "a message of the live deployment only": (
        "a_message_survives_a_rollback",
        "another deploy changed it",
        (
            "created=created, **data)",
            'created=created, **{**data, "message": data["message"] if data["live"] else ""})',
        ),
    ),
    "the message of the first deploy after a rollback": (
        "a_message_survives_a_rollback",
        "the rollback changed it",
        ("Env = Mapping", "NOTES: dict[str, str] = {}\nBACK: list[str] = []\nEnv = Mapping"),
        (UPLOAD, f"{UPLOAD}        NOTES.setdefault(digest, request.message)\n"),
        (
            "        target = id or earlier",
            "        BACK.append(id)\n        target = id or earlier",
        ),
        (
            "created=created, **data)",
            'created=created, **{**data, "message": NOTES[data["id"]]'
            ' if data["id"] in BACK else data["message"]})',
        ),
    ),
    "nothing destroyed": (
        "destroy_removes_everything",
        "these resources remain",
        (DELETE, "            pass\n"),
    ),
    "a repeated deletion that fails": (
        "destroy_survives_a_lost_response",
        "there is no app",
        (DELETE, "            client.delete(path)\n"),
    ),
    "previews that outlive the app": (
        "destroy_removes_everything",
        "these resources remain",
        (
            "    stage = request.environment\n",
            "    stage = request.environment\n    if stage == 'preview':\n"
            "        settings = AcmeDeployer(app=f'{settings.app}-preview', api_url=settings.api_url)\n",
        ),
    ),
    "an app destroyed that was none": (
        "destroy_removes_everything",
        "there was no app",
        ("    return bool(path)", "    return True"),
    ),
}

SECRETS = {
    "the token in progress": (
        "no_output_has_a_secret",
        "a secret was shown",
        (
            UPLOAD,
            UPLOAD.replace('"Uploading"', "\"Uploading by \" + credentials['ACME_TOKEN'].reveal()"),
        ),
    ),
    "a value in a note": (
        "no_output_has_a_secret",
        "a secret was shown",
        (UPLOAD, f"{UPLOAD}        report.note(str([v.reveal() for v in request.env.values()]))\n"),
    ),
    "the token in an error": (
        "no_output_has_a_secret",
        "a secret was shown",
        (
            CLIENT,
            "    from mastra_core.errors import ApiError\n"
            "    from mastra_deployer.kit import connect\n"
            "    try:\n        client = connect(settings.api_url, credentials['ACME_TOKEN'])\n"
            "        client.get('/user')\n        return client\n    except ApiError as error:\n"
            "        raise ApiError(f\"{error} (token {credentials['ACME_TOKEN'].reveal()})\") from error\n",
        ),
    ),
    "the token in a cause": (
        "no_output_has_a_secret",
        "a secret was shown",
        (
            UPLOAD,
            f"{UPLOAD}        try:\n            client.get('/user')\n        except DeployError:\n"
            "            raise DeployError('No.') from ValueError(credentials['ACME_TOKEN'].reveal())\n",
        ),
    ),
    "a value that is printed": (
        "no_output_has_a_secret",
        "a secret was shown",
        (UPLOAD, f"{UPLOAD}        print({{k: v.reveal() for k, v in request.env.items()}})\n"),
    ),
    "a value in the log": (
        "no_output_has_a_secret",
        "a secret was shown",
        (
            UPLOAD,
            f"{UPLOAD}        import logging\n"
            "        logging.getLogger('acme').info('%s', credentials['ACME_TOKEN'].reveal())\n",
        ),
    ),
    "a value in the deployment": (
        "no_output_has_a_secret",
        "a secret was shown",
        (
            '    return _to_deployment(state["deployment"])\n',
            '    return _to_deployment({**state["deployment"], "message": str([v.reveal() for v in request.env.values()])})\n',
        ),
    ),
    "a value that the platform quotes": (
        "an_error_hides_quoted_values",
        "an error repeats a value",
        (
            CLIENT,
            "    import httpx\n    from mastra_core.errors import ApiError\n"
            "    def explain(answer):\n        if answer.status_code >= 400:\n"
            '            raise ApiError(f"Acme refused it: {answer.read().decode()}")\n'
            "    return httpx.Client(base_url=settings.api_url, event_hooks={'response': [explain]},\n"
            "        headers={'authorization': 'Bearer ' + credentials['ACME_TOKEN'].reveal()})\n",
        ),
    ),
    "the token in an address": (
        "no_url_has_a_secret",
        "in its path",
        (
            UPLOAD,
            f"{UPLOAD}        client.get('/user', params={{'t': credentials['ACME_TOKEN'].reveal()}})\n",
        ),
    ),
}

DEFECTS = {
    name: (f"test_{test}", words, replace_source(*changes))
    for group in (TARGET, BUNDLES, PREVIEWS, DEPLOYS, FAULTS, READ_ONLY, MANAGEMENT, SECRETS)
    for name, (test, words, *changes) in group.items()
}
