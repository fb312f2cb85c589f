// Uses Mastra Studio in a real browser; prints what it saw as JSON.
import { chromium } from "playwright-core";

const [browserPath, studio, server, screenshot] = process.argv.slice(2);
const seen = { errors: [] };
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--no-proxy-server"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.on("pageerror", (error) => seen.errors.push(error.message));
page.on("response", (response) => {
  if (response.status() >= 500) seen.errors.push(`${response.status()} ${response.url()}`);
});

const open = (path) => page.goto(studio + path);
const text = (words) => page.getByText(words, { exact: true });
const listed = async (path, names) => {
  await open(path);
  for (const name of names) await text(name).first().waitFor();
  return names;
};

seen.agents = await listed("/agents", ["storyteller", "shelf"]);
seen.workflows = await listed("/workflows", ["sums"]);

await open("/agents/storyteller/chat/new");
const box = page.getByPlaceholder(/message/i).first();
await box.fill("fox");
await box.press("Enter");
await page.getByText("once there was", { exact: false }).first().waitFor();
seen.midway = await page.getByText("a fox.", { exact: false }).count();
await page.getByText("once there was a fox.", { exact: false }).first().waitFor();
await page.getByText("Your conversations will appear here", { exact: false }).waitFor({ state: "hidden" });
await page.reload(); // the memory shows what the stream did
await page.getByText("once there was a fox.", { exact: false }).first().waitFor();
seen.questions = await text("fox").count();
seen.answers = await text("once there was a fox.").count();
seen.thread = /[0-9a-f-]{36}/.test(page.url());
await page.screenshot({ path: `${screenshot}/chat.png` });

await open("/workflows/sums");
await page.locator("input[name=n]").fill("5");
await page.getByRole("button", { name: "Run", exact: true }).click();
await text("Success").first().waitFor();
const run = await page.getByText(/^[0-9a-f-]{36}$/).first().innerText();
seen.result = await page.evaluate(
  async (url) => {
    const headers = { "x-mastra-dev-playground": "true" };
    return (await (await fetch(url, { headers })).json()).result;
  },
  `${server}/api/workflows/sums/runs/${run}`,
);
await page.screenshot({ path: `${screenshot}/workflow.png` });

await open("/traces");
await page.getByText('{"n":5}').first().waitFor();
seen.traces = await page.locator("body").innerText();
await page.getByText('{"n":5}').first().click();
await page.getByText("workflow step: 'double'").first().click();
await page.getByText(/^output$/i).first().waitFor();
seen.span = await page.locator("body").innerText();
await page.screenshot({ path: `${screenshot}/traces.png` });

await browser.close();
console.log(JSON.stringify(seen));
