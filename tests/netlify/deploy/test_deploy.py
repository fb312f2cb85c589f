"""Deploys to Netlify: drafts, resumption, variables, uploads."""

import dataclasses
import json
import re

import pytest

from mastra_core.errors import ApiError, BundleError, DeployError
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import RESET
from mastra_deployer_netlify.bundle.checks import inspect_bundle
from mastra_deployer_netlify.bundle.output import FUNCTIONS, read_functions
from mastra_deployer_netlify.deploy.files import BundleFiles
from mastra_deployer_netlify.hooks import mastra_bundle
from tests.netlify.suite import NetlifyFixtures
from tests.platform_fakes.faults import Fault

UNAUTHORIZED = Fault(status=401, raw=b"", headers={})
BROKEN = Fault(status=500, raw=b'{"error": "oops"}', headers={})


class TestDeploy(NetlifyFixtures):
    def test_a_site_of_another_tool_is_reported(self, harness, platform):
        harness.deploy_sample("old")
        for deploy in platform.list_deploys():
            deploy.title = "Merge branch 'main'"
        for change, is_reported in (("new", True), ("newer", False)):
            harness.recorder.lines.clear()
            harness.deploy_sample(change)
            output = "\n".join(harness.recorder.lines)
            assert ("'shop' exists, and was deployed by another tool" in output) is is_reported

    def test_a_staged_deployment_is_a_draft_until_it_is_promoted(self, harness, platform):
        harness.deploy_sample()
        before = platform.get_published()
        draft = harness.deploy_without_promotion(harness.bundle("new"))
        assert (draft.live, draft.draft, draft.state) == (False, True, "ready")
        assert draft.url == f"https://{draft.id}--shop.netlify.app"
        assert platform.get_published() is before
        live = harness.call("promote", draft.id, harness.recorder)
        assert (live.live, live.draft, live.url) == (True, False, "https://shop.netlify.app")
        assert platform.get_published().id == draft.id

    def test_a_deploy_that_does_not_wait_publishes_directly(self, harness, platform):
        deployment = harness.deploy_without_promotion(harness.bundle(), wait=False)
        assert (deployment.state, deployment.draft) == ("building", False)
        (deploy,) = platform.list_deploys()
        for _ in range(3):
            platform.platform.advance(deploy)
        assert platform.get_published() is deploy

    @pytest.mark.parametrize("wait", [True, False])
    def test_a_deploy_without_promotion_stays_a_draft(self, harness, platform, wait):
        deployment = harness.deploy_without_promotion(harness.bundle(), promote=False, wait=wait)
        assert deployment.draft and not deployment.live
        platform.platform.advance(platform.list_deploys()[0])
        assert platform.get_published() is None

    def test_an_interrupted_deploy_goes_on_with_its_deployment(self, harness, platform):
        bundle = harness.bundle()

        def break_upload(exchange):
            return RESET if "/functions/" in exchange.path else None

        error = harness.deploy_with_faults(bundle, break_upload, fingerprint="abc")
        assert isinstance(error, ApiError) and error.status is None
        (deploy,) = platform.list_deploys()
        assert deploy.state == "uploading", "it was cancelled, so it cannot be continued"
        harness.deploy(bundle, fingerprint="abc")
        assert platform.list_deploys() == [deploy]
        assert len(platform.find_requests("PUT", "/functions/")) == 1
        assert platform.get_published() is deploy

    def test_a_deployment_of_another_command_is_not_taken_for_a_lost_one(self, harness, platform):
        first, deploys = harness.deploy_sample(), platform.platform.deploys

        def interfere(exchange):
            is_creation = exchange.method == "POST" and "/deploys?" in exchange.path
            if not is_creation or "foreign" in deploys:
                return None
            changes = {"id": "foreign", "title": "theirs", "state": "uploading"}
            deploys["foreign"] = dataclasses.replace(deploys[first.id], **changes)
            return RESET

        error = harness.deploy_with_faults(harness.bundle("b"), interfere, fingerprint="abc")
        assert isinstance(error, ApiError) and error.status is None
        assert [*deploys] == [first.id, "foreign"]
        assert deploys["foreign"].state == "uploading"

    def test_a_draft_that_became_ready_is_used_again(self, harness, platform):
        bundle = harness.bundle()
        draft = harness.deploy_without_promotion(bundle, fingerprint="abc")
        assert (draft.state, draft.live) == ("ready", False)
        assert harness.deploy(bundle, fingerprint="abc").id == draft.id
        assert [deploy.id for deploy in platform.list_deploys()] == [draft.id]
        assert platform.get_published().id == draft.id

    def test_a_draft_without_a_later_variable_is_not_used_again(self, harness, platform):
        bundle = harness.bundle()
        draft = harness.deploy_without_promotion(bundle, fingerprint="abc")
        harness.set_variables("production", {"STORED": "1"})
        assert harness.deploy(bundle, fingerprint="abc").id != draft.id
        assert platform.get_published().env["STORED"] == "1"

    def test_a_deployment_before_a_rollback_is_not_used_again(self, harness, platform):
        harness.deploy_sample("a")
        bundle = harness.bundle("b")
        second = harness.deploy(bundle, fingerprint="abc")
        harness.call("rollback", "", harness.recorder)
        assert harness.deploy(bundle, fingerprint="abc").id != second.id

    def test_an_unchanged_deploy_makes_no_deployment(self, harness, platform):
        bundle = harness.bundle()
        first = harness.deploy(bundle, fingerprint="abc")
        with harness.record_requests() as requests:
            assert harness.deploy(bundle, fingerprint="abc") == first
        assert all(self.is_read(exchange) for exchange in requests)
        harness.deploy(bundle, "preview", fingerprint="abc")
        harness.deploy(bundle, fingerprint="abc", message="again")
        harness.set_variables("production", {"STORED": "1"})
        assert harness.deploy(bundle, fingerprint="abc").id != first.id
        assert platform.get_published().env["STORED"] == "1"
        assert len(platform.list_deploys()) == 4
        assert len(platform.find_requests("PUT", "/functions/")) == 1, "it was sent again"

    def test_a_plan_counts_what_netlify_has(self, harness, platform, monkeypatch):
        settings = {**platform.get_settings(), "static": "site"}
        monkeypatch.setattr(platform, "get_settings", lambda: settings)
        build = harness.build()
        (build.directory / "app/site").mkdir()
        page = build.directory / "app/site/index.html"
        page.write_text("hello")
        bundle = harness.bundle(build=build)
        request = harness.build_request(fingerprint="abc")
        function = sum(
            path.stat().st_size for path in BundleFiles.from_bundle(bundle).paths.values()
        )
        plan = harness.call("plan", bundle, request)
        assert plan.creates == ("site shop", "production draft")
        assert (plan.upload, plan.present, plan.changes) == (function + 5, 0, ())
        harness.deploy(bundle, fingerprint="abc")
        plan = harness.call("plan", bundle, request)
        assert (plan.creates, plan.upload, plan.present) == ((), 0, function + 5)
        plan = harness.call("plan", bundle, harness.build_request(fingerprint="other"))
        assert plan.creates == ("production draft",)
        assert (plan.upload, plan.present) == (function, 5)
        assert plan.changes == tuple(f"variable {name}" for name in harness.env)
        platform.get_published().locked = True
        with pytest.raises(DeployError, match="is locked"):
            harness.call("plan", bundle, harness.build_request(fingerprint="other"))

    def test_another_deploy_does_not_go_on_with_it(self, harness, platform):
        bundle = harness.bundle()
        platform.hang_deployments()
        harness.deploy_without_promotion(bundle, wait=False, fingerprint="abc")
        platform.clear_faults()
        harness.deploy(bundle, fingerprint="other")
        assert len(platform.list_deploys()) == 2

    def test_a_preview_is_of_another_branch_and_is_not_promoted(self, harness, platform):
        harness.deploy_sample()
        preview = harness.deploy_sample("new", "preview")
        deploy = platform.list_deploys()[-1]
        assert (deploy.branch, deploy.context) == ("mastra-preview", "branch-deploy")
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="is a preview") as raised:
                harness.call(verb, preview.id, harness.recorder)
            assert "mastra deploy" in raised.value.hint

    def test_uploads_are_repeated_with_a_count_and_once_after_401(self, harness, platform):
        platform.add_fault("PUT", "/functions/", BROKEN)
        platform.add_fault("PUT", "/functions/", UNAUTHORIZED)
        harness.deploy_sample()
        (request,) = platform.find_requests("PUT", "/functions/")
        assert "x-nf-retry-count" in request.headers
        assert platform.get_published()

    def test_an_unknown_state_means_not_yet(self, harness, platform):
        platform.platform.unknown_state = "pondering"
        assert harness.deploy_sample().live

    @pytest.mark.parametrize("form", ["epoch", "seconds", "date"])
    def test_three_deploys_a_minute_are_waited_out(self, harness, platform, form):
        platform.platform.deploys_per_window, platform.platform.reset_form = 0, form
        assert harness.deploy_sample().live
        assert len(platform.find_requests("POST", "/deploys")) >= 2

    def test_the_limit_of_a_day_is_told(self, harness, platform):
        platform.platform.deploys_per_window = 0
        platform.platform.reset_seconds = 80_000
        with pytest.raises(ApiError, match="again only after 22 hours") as raised:
            harness.deploy_sample()
        assert "100 in a day" in raised.value.hint
        assert platform.get_published() is None

    def test_many_static_files_are_compared_asynchronously(self, harness, platform, monkeypatch):
        settings = {**platform.get_settings(), "static": "site"}
        monkeypatch.setattr(platform, "get_settings", lambda: settings)
        build = harness.build()
        (build.directory / "app/site").mkdir()
        for index in range(101):
            (build.directory / f"app/site/{index} #.html").write_text(f"page {index % 50}")
        bundle = harness.bundle(build=build)
        harness.deploy(bundle)
        assert self.is_complete(harness.get_live(), bundle, harness.env)
        (post,) = platform.find_requests("POST", "/deploys")[:1]
        assert post.body["async"] is True and "required" not in post.response
        assert len(platform.find_requests("PUT", "/files/")) == 50, "one upload for each content"
        route = post.body["functions_config"]["api"]["routes"][0]
        assert route["prefer_static"] is True

    def test_a_draft_of_another_context_has_the_values_of_the_deploy(self, harness, platform):
        platform.platform.draft_context = "deploy-preview"
        harness.deploy_sample()
        assert platform.get_published().env == harness.env

    def test_a_draft_that_would_lack_variables_is_cancelled(self, harness, platform):
        harness.set_variables("production", {"STORED": "1"})
        platform.platform.draft_context = "deploy-preview"
        with pytest.raises(DeployError, match="STORED") as raised:
            harness.deploy_sample()
        assert "staged=false" in raised.value.hint
        (deploy,) = platform.list_deploys()
        assert deploy.state == "error"
        assert not platform.find_requests("PUT"), "files were sent"

    @pytest.mark.parametrize("path", ["other.zip", "../api.zip", "{parent}/api.zip"])
    def test_a_zip_outside_of_the_functions_is_not_sent(self, harness, path):
        bundle = harness.bundle()
        parent, manifest = bundle.directory.parent, bundle.directory / FUNCTIONS / "manifest.json"
        for file in (parent / "api.zip", bundle.directory / "other.zip"):
            file.write_bytes(b"a file of this machine")
        content = json.loads(manifest.read_text())
        content["functions"][0]["path"] = path.format(parent=parent)
        manifest.write_text(json.dumps(content))
        with pytest.raises(BundleError, match="which is not a file in") as raised:
            BundleFiles.from_bundle(Bundle(directory=bundle.directory, manifest=bundle.manifest))
        assert "Bundle again" in raised.value.hint

    def test_two_functions_with_one_content_are_refused(self, harness):
        bundle = harness.bundle()
        functions = bundle.directory / FUNCTIONS
        (functions / "copy.zip").write_bytes((functions / "api.zip").read_bytes())
        content = json.loads((functions / "manifest.json").read_text())
        entry = {**content["functions"][0], "name": "copy", "path": f"{FUNCTIONS}/copy.zip"}
        content["functions"].append(entry)
        (functions / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(BundleError, match="'api' and 'copy'"):
            BundleFiles.from_bundle(Bundle(directory=bundle.directory, manifest=bundle.manifest))

    def test_a_background_function_is_deployed_beside_the_other(self, harness, platform):
        settings = dataclasses.replace(harness.build_access().settings, background=True)
        bundle = mastra_bundle(
            harness.build(), harness.make_directory(), settings, harness.recorder
        )
        assert list(inspect_bundle(bundle)) == []
        assert harness.deploy(bundle).live
        functions = {each.name: each for each in read_functions(bundle.directory)}
        assert [each.invocation_mode for each in functions.values()] == ["stream", "background"]
        (route,) = functions["api-background"].routes
        (excluded,) = functions["api"].to_config()["excluded_routes"]
        assert route["expression"] == excluded["expression"]
        for path, is_background in (
            ("/_background/api/workflows", True),
            ("/_background/", True),
            ("/_backgrounds", False),
            ("/api/_background/x", False),
        ):
            assert bool(re.search(route["expression"], path)) is is_background
        uploads = platform.find_requests("PUT", "/functions/")
        assert sorted(each.path.rpartition("/")[2] for each in uploads) == ["api", "api-background"]
