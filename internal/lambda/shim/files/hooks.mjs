// The import counterpart of carried.js: runs on the loader's thread.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const { ask, packageOf } = createRequire(import.meta.url)("./carried.js");
let server;

export async function initialize(data) {
  server = data;
}

export async function resolve(specifier, context, nextResolve) {
  try {
    return await nextResolve(specifier, context);
  } catch (e) {
    if (e.code !== "ERR_MODULE_NOT_FOUND") throw e;
    if (specifier === "cfn-response") return nextResolve(new URL("./carried/cfn-response.js", import.meta.url).href, context);
    const name = packageOf(specifier);
    if (!name) throw e;
    const answer = ask(server.host, server.port, name);
    if (answer.message) {
      e.message = `Cannot find package '${specifier}'. ${answer.message}`;
      throw e;
    }
    return nextResolve(specifier, { ...context, parentURL: pathToFileURL(path.join(answer.dir, "index.mjs")).href });
  }
}
