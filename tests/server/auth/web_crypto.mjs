// Offer WebCrypto of Node to a Python process: one JSON request and one JSON response in each line.
import { createInterface } from "node:readline";

const keys = [];
const revive = (value) =>
  value?.base64 === undefined ? value : new Uint8Array(Buffer.from(value.base64, "base64"));

const operations = {
  async importKey(...values) {
    keys.push(await crypto.subtle.importKey(...values));
    return keys.length - 1;
  },
  verify: (method, key, ...values) => crypto.subtle.verify(method, keys[key], ...values),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...values] = JSON.parse(line);
  try {
    const result = await operations[name](...values.map(revive));
    console.log(JSON.stringify({ result }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
