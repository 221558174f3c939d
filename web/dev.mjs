// `npm run dev`: builds on every change and serves the page, with /api and the rest passed on to a daemon (DAEMON=http://127.0.0.1:5000).

import { createReadStream, existsSync, readdirSync, statSync, watch } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { CONTENT_TYPES, build } from "./build.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** An editor writes several files at once. */
const SETTLE_MS = 100;

async function serve() {
  const daemon = new URL(process.env.DAEMON ?? "http://127.0.0.1:5000");
  const port = Number(process.env.PORT ?? 5173);
  const folder = path.join(tmpdir(), `filamentbox-dev-${process.pid}`);
  const again = () => build(folder).then(() => console.log("built"), (problem) => console.error(problem.message));
  await again();
  let timer;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(again, SETTLE_MS);
  };
  // Folder by folder: Node.js 18 cannot watch a tree.
  for (const part of ["public", ...folders("src")]) watch(path.join(HERE, part), changed);
  http.createServer((request, response) => answer(request, response, folder, daemon)).listen(port, "127.0.0.1");
  console.log(`http://127.0.0.1:${port} (the daemon: ${daemon.origin})`);
}

function folders(part) {
  const inside = readdirSync(path.join(HERE, part), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [part, ...inside.flatMap((entry) => folders(path.join(part, entry.name)))];
}

function answer(request, response, folder, daemon) {
  const wanted = new URL(request.url, "http://x").pathname;
  if (/^\/(api\/|metrics$|healthz$)/.test(wanted)) return passOn(request, response, daemon);
  // In a browser at work a service worker shows yesterday's code.
  if (wanted === "/sw.js") return response.writeHead(404).end();
  const file = path.join(folder, path.normalize(wanted));
  const shown = file.startsWith(folder) && existsSync(file) && statSync(file).isFile() ? file : path.join(folder, "index.html");
  response.writeHead(200, { "content-type": CONTENT_TYPES[path.extname(shown)] ?? "application/octet-stream", "cache-control": "no-store" });
  createReadStream(shown).pipe(response);
}

function passOn(request, response, daemon) {
  const headers = { ...request.headers, host: daemon.host };
  // The daemon takes changes only from its own page.
  if (headers.origin) headers.origin = daemon.origin;
  const client = daemon.protocol === "https:" ? https : http;
  const passed = client.request(new URL(request.url, daemon), { method: request.method, headers, rejectUnauthorized: false }, (answered) => {
    response.writeHead(answered.statusCode, answered.headers);
    answered.pipe(response);
  });
  passed.on("error", () => response.writeHead(502, { "content-type": "application/json" }).end('{"error":"the daemon does not answer"}'));
  response.on("close", () => passed.destroy());
  request.pipe(passed);
}

await serve();
