// A warm stand-in for AWS Lambda: runs an unpacked function of Netlify, one instance, over HTTP.
//   node lambda_stand_in.mjs DIRECTORY    prints its port once the function is initialized
import http from "node:http";
import { join } from "node:path";
import { PassThrough } from "node:stream";

const root = process.argv[2];
process.env.LAMBDA_TASK_ROOT = root;
globalThis.awslambda = {
  streamifyResponse: (handler) => handler,
  HttpResponseStream: {
    from(stream, head) {
      stream.setHead(head);
      return stream;
    },
  },
};
const { handler } = await import(join(root, "___netlify-entry-point.mjs"));

async function invoke(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const stream = new PassThrough();
  stream.setHead = ({ statusCode, multiValueHeaders }) =>
    response.writeHead(statusCode, multiValueHeaders).flushHeaders();
  stream.pipe(response);
  response.on("close", () => stream.destroy()); // the client left, or has everything
  const url = new URL(request.url, "https://shop.netlify.app");
  const event = {
    rawUrl: url.href,
    path: url.pathname,
    httpMethod: request.method,
    headers: { ...request.headers, "x-nf-client-connection-ip": "203.0.113.7" },
    body: Buffer.concat(chunks).toString("base64"),
    isBase64Encoded: true,
    route: "/*",
    netlifyDBURL: request.headers["x-stand-in-database"], // as Netlify sets it with each request
    flags: {},
    invocationMetadata: { function_name: "api", branch: "main", account_tier: "pro" },
  };
  const context = { awsRequestId: "1", getRemainingTimeInMillis: () => 60_000 };
  await handler(event, stream, context);
}

const server = http.createServer((request, response) => {
  invoke(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
