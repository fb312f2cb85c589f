// Checks recorded exchanges strictly against the schemas of @vercel/sdk: node contract.mjs SDK
// reads [{method, path, query, body, status, response}] and writes ["METHOD /path: violation"].
// The SDK accepts missing and unknown fields; here its models are loaded so that they are strict.
import { readFileSync, readdirSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const sdk = join(process.argv[2], "esm");
const STRICT = {
  "types/primitives.js": `import * as z from "zod/v3";
    export const string = () => z.string(), boolean = () => z.boolean(), number = () => z.number();
    export const date = () => z.coerce.date(), literal = (value) => z.literal(value);
    export const optional = (type) => type.optional(), nullable = (type) => z.nullable(type);`,
  "types/smartUnion.js": `import * as z from "zod/v3";
    export const smartUnion = (options) => z.union(options);`,
};

registerHooks({
  load(url, context, next) {
    const name = Object.keys(STRICT).find((name) => url.endsWith(`@vercel/sdk/esm/${name}`));
    if (name) return { format: "module", shortCircuit: true, source: STRICT[name] };
    const loaded = next(url, context);
    if (!url.includes("@vercel/sdk/esm/models/")) return loaded;
    return { ...loaded, source: String(loaded.source).replaceAll("z.object(", "z.strictObject(") };
  },
});

// The schema for the owner, where there is another one for anonymous clients.
const OWNERS = {
  CreateDeploymentResponseBody: "CreateDeploymentResponseBody2",
  GetDeploymentResponseBody: "GetDeploymentResponseBody2",
};
// Undocumented fields that the real command line sends or receives.
const MORE = {
  body: {
    "POST /deployments": ["version", "source", "env", "build", "autoAssignCustomDomains"],
  },
  query: {
    "POST /deployments": ["prebuilt", "withCache"],
    "GET /projects/{projectId}/deployments/{deploymentId}/runtime-logs": ["format"],
    "*": ["rollbackInfo"] },
};

function operations() {
  const found = [];
  for (const file of readdirSync(join(sdk, "funcs")).filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(join(sdk, "funcs", file), "utf8");
    const template = /pathToFunc\("([^"]*)"\)/.exec(text)?.[1];
    const method = /method: "([A-Z]+)"/.exec(text)?.[1];
    if (template && method) found.push({ file, text, template, method, shape: shape(template) });
  }
  return found;
}

const plain = (path) => path.replace(/^\/v\d+/, "").replace(/^\/now/, "");
const shape = (template) => new RegExp(`^${plain(template).replace(/\{[^}]*\}/g, "[^/]+")}$`);

function find(all, { method, path }) {
  const fits = all.filter((one) => one.method === method && one.shape.test(plain(path)));
  const literal = (one) => (plain(one.template).match(/\{/g) ?? []).length;
  return fits.sort((a, b) => literal(a) - literal(b))[0];
}

async function schema(text, name) {
  const from = new RegExp(`import \\{[^}]*\\b${name.replace("$", "\\$")}\\b[^}]*\\} from "([^"]*)"`);
  const file = from.exec(text)?.[1];
  if (!file) return undefined;
  const models = await import(pathToFileURL(join(sdk, "funcs", file)).href);
  const stem = name.replace("$inboundSchema", "");
  return models[`${OWNERS[stem]}$inboundSchema`] ?? models[name];
}

const strip = (value, names) =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
const withoutModes = (files) => files.map((file) => strip(file, ["mode"]));

function issues(type, value) {
  const result = type.safeParse(value);
  return result.success ? [] : result.error.issues.flatMap((issue) => formatIssue(issue));
}

function formatIssue(issue, at = "") {
  const path = issue.path.join(".") || at;
  if (issue.code !== "invalid_union") return [`${path}: ${issue.message}`];
  const best = issue.unionErrors.sort((a, b) => a.issues.length - b.issues.length)[0];
  return best.issues.flatMap((inner) => formatIssue(inner, path));
}

async function checkResponse(one, exchange) {
  if (exchange.status >= 400) {
    const error = exchange.response?.error;
    const isValid = exchange.response === null || (error?.code && error?.message);
    return isValid ? [] : ["an error without code and message"];
  }
  const pattern = new RegExp(`M\\.json\\(${exchange.status}, (?:types\\$\\.optional\\()?(z\\.array\\()?([\\w$]+)`);
  const [, many, name] = pattern.exec(one.text) ?? [];
  if (!name) {
    const hasNoBody = new RegExp(`M\\.nil\\(\\[?[\\d, ]*\\b${exchange.status}\\b`).test(one.text);
    return hasNoBody ? [] : [`${exchange.status} is not a documented status`];
  }
  const type = await schema(one.text, name);
  const value = exchange.response;
  if (value === null && /stream\+json/.test(one.text)) return []; // lines, one object each
  return many ? value.flatMap((item) => issues(type, item)) : issues(type, value);
}

const key = (one) => `${one.method} ${plain(one.template)}`;

async function checkRequest(one, exchange) {
  const known = [...one.text.matchAll(/"([\w.-]+)": payload/g)].map((match) => match[1]);
  const more = [...(MORE.query[key(one)] ?? []), ...MORE.query["*"]];
  const unknown = Object.keys(exchange.query).filter(
    (name) => ![...known, ...more, "teamId", "slug"].includes(name) && !name.startsWith("meta-"),
  );
  const wrong = unknown.map((name) => `unknown query parameter ${name}`);
  const name = /value\) => ([\w$]+)\.parse/.exec(one.text)?.[1];
  const type = name && (await schema(one.text, name));
  const inner = (type?._def.schema ?? type)?.shape?.requestBody;
  if (!inner || exchange.body === null) return wrong;
  const list = Array.isArray(exchange.body);
  const body = list ? exchange.body : strip(exchange.body, MORE.body[key(one)] ?? []);
  if (!list && body.files) body.files = withoutModes(body.files);
  return [...wrong, ...issues(inner, body).map((text) => `the request's ${text}`)];
}

const all = operations();
const wrong = [];
for (const exchange of JSON.parse(readFileSync(0, "utf8"))) {
  const one = find(all, exchange);
  const name = `${exchange.method} ${exchange.path} -> ${exchange.status}`;
  if (!one) wrong.push(`${name}: undocumented operation`);
  else {
    const found = [...(await checkRequest(one, exchange)), ...(await checkResponse(one, exchange))];
    wrong.push(...found.map((text) => `${name}: ${text}`));
  }
}
process.stdout.write(JSON.stringify([...new Set(wrong)]));
