// The life of a project with the official client: node sdk_flow.mjs SDK URL TOKEN. It writes its
// observations as JSON; a response that the client cannot parse ends it.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [sdk, serverURL, bearerToken] = process.argv.slice(2);
const { Vercel } = await import(pathToFileURL(join(sdk, "esm/index.js")).href);
const vercel = new Vercel({ serverURL, bearerToken });
const project = { idOrName: "shop" };
const seen = {};

const files = Object.entries({
  ".vercel/output/config.json": '{"version": 3, "routes": [{"src": "/(.*)", "dest": "/index"}]}',
  ".vercel/output/functions/index.func/.vc-config.json":
    '{"runtime": "python3.12", "handler": "vc__handler__python.vc_handler"}',
}).map(([file, text]) => {
  const content = new TextEncoder().encode(text);
  return { file, content, size: content.length, sha: createHash("sha1").update(content).digest("hex") };
});

async function accounts() {
  const { user } = await vercel.user.getAuthUser();
  const { teams } = await vercel.teams.getTeams({});
  const team = await vercel.teams.getTeam({ teamId: "team_acme" });
  seen.accounts = [user.username, teams.map((one) => one.slug), team.billing.plan];
}

async function settings() {
  await vercel.projects.createProject({ requestBody: { name: "shop" } });
  await vercel.projects.updateProject({ ...project, requestBody: { ssoProtection: null } });
  const requestBody = { generate: {} };
  await vercel.projects.updateProjectProtectionBypass({ ...project, requestBody });
  const { projects } = await vercel.projects.getProjects({});
  const { name, id } = await vercel.projects.getProject(project);
  seen.settings = [name, projects.length];
  return id;
}

async function variables() {
  const one = { type: "encrypted", target: ["production"], value: "1" };
  const several = [{ ...one, key: "A" }, { ...one, key: "B" }, { ...one, key: "C" }];
  await vercel.projects.createProjectEnv({ ...project, upsert: "true", requestBody: several });
  const { envs } = await vercel.projects.filterProjectEnvs(project);
  const [a, b, c] = envs.map(({ id }) => id);
  await vercel.projects.editProjectEnv({ ...project, id: a, requestBody: { value: "2" } });
  const { value } = await vercel.projects.getProjectEnv({ ...project, id: a });
  await vercel.projects.removeProjectEnv({ ...project, id: a });
  await vercel.projects.batchRemoveProjectEnv({ ...project, requestBody: { ids: [b, c] } });
  const left = await vercel.projects.filterProjectEnvs(project);
  seen.variables = [envs.map(({ key }) => key), value, left.envs.length];
}

async function deploy(more = {}) {
  const listed = files.map(({ content, ...file }) => file);
  const requestBody = { name: "shop", project: "shop", files: listed, ...more };
  const asked = { forceNew: "1", skipAutoDetectionConfirmation: "1", requestBody };
  const { id } = await vercel.deployments.createDeployment(asked);
  let last;
  for (let look = 0; look < 5; look++) {
    last = await vercel.deployments.getDeployment({ idOrUrl: id });
  }
  return last;
}

async function deployments() {
  for (const { content, size, sha } of files) {
    const upload = { contentLength: size, xVercelDigest: sha, requestBody: content };
    await vercel.deployments.uploadFile(upload);
  }
  const first = await deploy();
  const second = await deploy({ target: "production" });
  const third = await deploy({ meta: { by: "sdk" } });
  const { deployments } = await vercel.deployments.getDeployments({ limit: 2 });
  const tree = await vercel.deployments.listDeploymentFiles({ id: first.id });
  const events = await vercel.deployments.getDeploymentEvents({ idOrUrl: first.id });
  await vercel.checks.getAllChecks({ deploymentId: first.id });
  await vercel.deployments.deleteDeployment({ id: third.id });
  seen.deployments = [first, second, third].map((one) => [one.readyState, one.target ?? null]);
  seen.listed = [deployments.length, tree.length, events.length > 0];
  return [first.id, second.id];
}

async function releases(projectId, first, second) {
  await vercel.projects.requestRollback({ projectId, deploymentId: first });
  await settled();
  await vercel.projects.requestPromote({ projectId, deploymentId: second });
  seen.request = await settled();
  await vercel.projects.listPromoteAliases({ projectId });
}

async function settled() {
  // The client lacks the parameter rollbackInfo, which returns and advances the alias request.
  const headers = { authorization: `Bearer ${bearerToken}` };
  let aliasRequest;
  for (let look = 0; look < 3; look++) {
    const response = await fetch(`${serverURL}/v9/projects/shop?rollbackInfo=true`, { headers });
    aliasRequest = (await response.json()).lastAliasRequest;
  }
  return [aliasRequest.type, aliasRequest.jobStatus];
}

async function rolling(projectId) {
  // Nor has it a body for the configuration.
  const stages = [{ targetPercentage: 10 }, { targetPercentage: 50 }, { targetPercentage: 100 }];
  const body = JSON.stringify({ enabled: true, advancementType: "manual-approval", stages });
  const headers = { authorization: `Bearer ${bearerToken}`, "content-type": "application/json" };
  await fetch(`${serverURL}/v1/projects/${projectId}/rolling-release/config`, {
    method: "PATCH", headers, body,
  });
  await vercel.rollingRelease.getRollingReleaseConfig(project);
  const { id } = await deploy({ target: "production" });
  const canary = { canaryDeploymentId: id };
  await vercel.rollingRelease.startRollingRelease({ ...project, requestBody: canary });
  const requestBody = { ...canary, nextStageIndex: 1 };
  await vercel.rollingRelease.approveRollingReleaseStage({ ...project, requestBody });
  const { rollingRelease } = await vercel.rollingRelease.getRollingRelease(project);
  const done = await vercel.rollingRelease.completeRollingRelease({ ...project, requestBody: canary });
  await vercel.rollingRelease.deleteRollingReleaseConfig(project);
  seen.rolling = [rollingRelease.activeStage.targetPercentage, done.rollingRelease.state];
}

async function names(id) {
  await vercel.aliases.assignAlias({ id, requestBody: { alias: "shop.example.com" } });
  const { aliases } = await vercel.aliases.listDeploymentAliases({ id });
  const all = await vercel.aliases.listAliases({});
  await vercel.aliases.deleteAlias({ aliasId: "shop.example.com" });
  await vercel.environment.createCustomEnvironment({ ...project, requestBody: { slug: "qa" } });
  const environment = { ...project, environmentSlugOrId: "qa" };
  await vercel.environment.getProjectsByIdOrNameCustomEnvironments(project);
  const { slug } = await vercel.environment.getCustomEnvironment(environment);
  await vercel.environment.removeCustomEnvironment(environment);
  seen.names = [aliases.some(({ alias }) => alias === "shop.example.com"), all.aliases.length, slug];
}

await accounts();
const id = await settings();
await variables();
const [first, second] = await deployments();
await releases(id, first, second);
await rolling(id);
await names(first);
await vercel.projects.deleteProject(project);
process.stdout.write(JSON.stringify(seen));
