"use strict";
// What AWS's Node.js runtimes carry and a package may leave out: aws-sdk (version 2), @aws-sdk/* and @smithy/* (version 3),
// and cfn-response. The machine is asked first; what it does not have, the server installs once or explains.

const path = require("path");
const { spawnSync } = require("child_process");

const sdk = /^(aws-sdk|@aws-sdk\/[^/]+|@smithy\/[^/]+)(\/.*)?$/;

// packageOf is the carried package that a specifier belongs to, or undefined.
function packageOf(specifier) {
  const m = sdk.exec(specifier);
  return m ? m[1] : undefined;
}

// ask asks the server for the folder whose node_modules holds a package. It blocks, as require does: the clock of the
// invocation stands still meanwhile.
function ask(host, port, name) {
  const url = `http://${host}:${port}/newel/module?name=${encodeURIComponent(name)}`;
  const script = 'require("http").get(process.argv[1],r=>{process.exitCode=r.statusCode===200?0:1;r.pipe(process.stdout)}).on("error",e=>{process.stdout.write(String(e));process.exitCode=1})';
  const r = spawnSync(process.execPath, ["-e", script, url], { env: {}, encoding: "utf8" });
  return r.status === 0 ? { dir: r.stdout } : { message: r.stdout || String(r.error) };
}

function install({ Module, taskRoot, host, port, major }) {
  const known = new Map();
  const lookUp = (name) => {
    if (!known.has(name)) {
      const answer = ask(host, port, name);
      if (!answer.dir) return answer; // may be there the next time
      known.set(name, answer);
    }
    return known.get(name);
  };

  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, isMain, options) {
    try {
      return resolve.call(this, request, parent, isMain, options);
    } catch (e) {
      if (e.code !== "MODULE_NOT_FOUND") throw e;
      if (request === "cfn-response") return path.join(__dirname, "carried", "cfn-response.js");
      const name = packageOf(request);
      if (!name) throw e;
      const answer = lookUp(name);
      if (answer.message) {
        e.message = `Cannot find module '${request}'. ${answer.message}`;
        throw e;
      }
      return resolve.call(this, request, parent, isMain, { paths: [answer.dir] });
    }
  };

  // Version 2 of the SDK knows no AWS_ENDPOINT_URL: configure it as soon as its core is loaded, whoever loads it, and
  // again after its node_loader, which starts the configuration afresh.
  const load = Module._extensions[".js"];
  const lib = path.sep + path.join("aws-sdk", "lib") + path.sep;
  Module._extensions[".js"] = function (module, filename) {
    load.apply(this, arguments);
    if (filename.endsWith(lib + "core.js")) configure(module.exports);
    if (filename.endsWith(lib + "node_loader.js")) configure(Module._cache[path.join(path.dirname(filename), "core.js")].exports);
  };

  // import resolves on its own path, with hooks where this version of Node.js has them.
  if (Module.register && (major > 20 || (major === 20 && minor() >= 6) || (major === 18 && minor() >= 19))) {
    const { pathToFileURL } = require("url");
    Module.register(pathToFileURL(path.join(__dirname, "hooks.mjs")).href, { data: { host, port } });
  }
}

const minor = () => Number(process.versions.node.split(".")[1]);

function configure(AWS) {
  const env = process.env;
  if (!AWS || !AWS.config || !env.AWS_ENDPOINT_URL || env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === "true") return;
  AWS.config.update({ endpoint: env.AWS_ENDPOINT_URL, s3ForcePathStyle: true, hostPrefixEnabled: false });
}

module.exports = { install, ask, packageOf, configure };
