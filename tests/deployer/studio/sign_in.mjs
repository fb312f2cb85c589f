// Signs in to Mastra Studio in a real browser, and uses agents, tools, workflows and traces.
// Prints what it saw as JSON.
import { chromium } from "playwright-core";

const [browserPath, studio, screenshots, token] = process.argv.slice(2);
const seen = { errors: [], refused: [] };
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--no-proxy-server"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.setDefaultTimeout(20_000);
page.on("pageerror", (error) => seen.errors.push(error.message));
page.on("response", (response) => {
  if (response.status() >= 500) seen.errors.push(`${response.status()} ${response.url()}`);
  if ([401, 403].includes(response.status())) seen.refused.push(new URL(response.url()).pathname);
});

const open = (path) => page.goto(studio + path);
const text = (words) => page.getByText(words, { exact: true }).first();
const press = (name) => page.getByRole("button", { name, exact: true }).first().click();
const shoot = (name) => page.screenshot({ path: `${screenshots}/${name}.png`, animations: "disabled" });

// Sign in.
await open("/agents");
await text("Authentication Required").waitFor();
await shoot("sign-in");
await press("Add Header");
await page.locator('input[name="headers.0.name"]').fill("Authorization");
const value = page.locator('input[name="headers.0.value"]');
await value.fill("Bearer wrong");
const refused = page.waitForResponse((response) => response.status() === 401);
await press("Save Headers");
await refused;
await text("Authentication Required").waitFor();
seen.wrongKey = (await text("clerk").count()) === 0;
await value.fill(`Bearer ${token}`);
await press("Save Headers");
await text("clerk").waitFor();
await shoot("agents");
seen.refused = [];

// Chat, and approve after a reload.
await open("/agents/clerk/chat/new");
const box = page.getByPlaceholder(/message/i).first();
await box.fill("hello");
await box.press("Enter");
await text("You said hello.").waitFor();
await box.fill("pay");
await box.press("Enter");
await page.getByRole("button", { name: "Approve" }).first().waitFor();
await page.waitForURL(/threads/);
await page.reload();
await page.getByRole("button", { name: "Approve" }).first().waitFor();
await shoot("approval-after-reload");
await page.getByRole("button", { name: "Approve" }).first().click();
await page.getByText("Done: paid 3").first().waitFor();
await shoot("approved");

// The form of a tool.
await open("/tools/add");
await page.locator("input[name=a]").fill("2");
await page.locator("input[name=b]").fill("3");
await press("Submit");
await page.getByText('"total": 5').first().waitFor();
await shoot("tool");

// The form of a suspended workflow.
await open("/workflows/approve");
await page.getByLabel(/topic/i).first().fill("lunch");
await press("Run");
await text("Your response").waitFor();
await shoot("suspended");
await page.getByRole("checkbox").last().click();
await press("Resume");
await text("Success").waitFor();
await shoot("resumed");

// A trace with the span of the model.
await open("/traces");
await text("hello").click();
await page.getByText(/chat echo/).first().click();
await page.getByText(/^output$/i).first().waitFor();
seen.span = await page.locator("body").innerText();
await shoot("trace");

await browser.close();
console.log(JSON.stringify(seen));
