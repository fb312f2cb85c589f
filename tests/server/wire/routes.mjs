// Prints method and path of every route of the TypeScript original.
import { SERVER_ROUTES } from "@mastra/server/server-adapter";

console.log(JSON.stringify(SERVER_ROUTES.map(({ method, path }) => `${method} ${path}`)));
