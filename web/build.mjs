// Builds the page into a folder: `node build.mjs --out DIR` (what crates/client runs), or bundles and runs the unit tests: `--test`.
// What is written is final: names carry a hash of their content, and the whole is measured against the budget.

import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** All that a browser may ever load from us, compressed, in bytes: the page opens within a second from a Pi Zero on weak Wi-Fi. */
const BUDGET_BYTES = 100_000;
/** Browsers of 2021 and later: an old phone on the wall is a fine display. */
const BROWSERS = ["chrome90", "firefox90", "safari15"];

/** Below this share of its size a file is kept compressed; pictures stay as they are. */
const WORTH_COMPRESSING = 0.95;
export const CONTENT_TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

const COMMON = {
  absWorkingDir: HERE,
  bundle: true,
  format: "esm",
  minify: true,
  target: BROWSERS,
  jsx: "automatic",
  jsxImportSource: "preact",
  // The licences of what is bundled are in docs/THIRD_PARTY.md.
  legalComments: "none",
  logLevel: "warning",
};

function bundle(folder) {
  return esbuild.build({
    ...COMMON,
    entryPoints: { main: "src/main.tsx", style: "src/styles/index.css" },
    splitting: true,
    outdir: folder,
    entryNames: "assets/[name]-[hash]",
    chunkNames: "assets/[name]-[hash]",
    metafile: true,
  });
}

/** The packages whose code is in the page. */
export async function packagesIn(folder) {
  const { metafile } = await bundle(folder);
  const names = Object.keys(metafile.inputs).map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
  return [...new Set(names.filter(Boolean))];
}

/** Builds everything into `folder`, and answers the list of [name, bytes, compressed bytes]. */
export async function build(folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.join(folder, "assets"), { recursive: true });
  const result = await bundle(folder);
  const outputs = Object.entries(result.metafile.outputs).map(([file, output]) => ({
    name: path.relative(folder, path.resolve(HERE, file)),
    entry: output.entryPoint,
  }));
  // What the first script imports is asked for beside it, not after it.
  const first = Object.values(result.metafile.outputs).find((output) => output.entryPoint === "src/main.tsx");
  const preloads = first.imports
    .filter((file) => file.kind === "import-statement")
    .map((file) => `<link rel="modulepreload" href="/${path.relative(folder, path.resolve(HERE, file.path))}" />`);
  const named = (entry) => outputs.find((output) => output.entry === entry).name;
  const template = await readFile(path.join(HERE, "src/index.html"), "utf8");
  const index = template
    .replace("{{script}}", `/${named("src/main.tsx")}`)
    .replace("{{style}}", `/${named("src/styles/index.css")}`)
    .replace("{{preloads}}", preloads.join("\n    "));
  await writeFile(path.join(folder, "index.html"), index);
  for (const file of await readdir(path.join(HERE, "public"))) {
    await writeFile(path.join(folder, file), await readFile(path.join(HERE, "public", file)));
  }
  await buildServiceWorker(folder, index, outputs.map((output) => `/${output.name}`));
  return list(folder);
}

/** The service worker knows by name what it keeps; a changed byte anywhere is a new version. */
async function buildServiceWorker(folder, index, assets) {
  const version = createHash("sha256").update(index).update(assets.sort().join()).digest("hex").slice(0, 12);
  await esbuild.build({
    ...COMMON,
    entryPoints: ["src/sw.ts"],
    format: "iife",
    outfile: path.join(folder, "sw.js"),
    define: { SHELL_VERSION: JSON.stringify(version), SHELL_ASSETS: JSON.stringify(assets) },
  });
}

/** Compresses what shrinks, and lists all files in assets.tsv for crates/client: path, content type, entity tag, encoding, file. */
async function list(folder) {
  const rows = [];
  const lines = [];
  for (const name of await filesIn(folder)) {
    const bytes = await readFile(path.join(folder, name));
    const compressed = gzipSync(bytes, { level: 9 });
    const isSmaller = compressed.length < bytes.length * WORTH_COMPRESSING;
    if (isSmaller) await writeFile(path.join(folder, `${name}.gz`), compressed);
    const etag = createHash("sha256").update(bytes).digest("base64url").slice(0, 16);
    lines.push([`/${name}`, CONTENT_TYPES[path.extname(name)], etag, isSmaller ? "gzip" : "identity", isSmaller ? `${name}.gz` : name].join("\t"));
    rows.push([name, bytes.length, isSmaller ? compressed.length : bytes.length]);
  }
  await writeFile(path.join(folder, "assets.tsv"), lines.join("\n") + "\n");
  return rows.sort((a, b) => b[2] - a[2]);
}

async function filesIn(folder) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const inside = entry.isDirectory() ? (await filesIn(path.join(folder, entry.name))).map((name) => `${entry.name}/${name}`) : [entry.name];
    found.push(...inside);
  }
  return found.sort();
}

/** Prints the table; fails when the whole is over the budget. */
function report(rows) {
  const total = rows.reduce((sum, [, , compressed]) => sum + compressed, 0);
  for (const [name, bytes, compressed] of rows) console.log(`${name.padEnd(36)} ${String(bytes).padStart(7)} ${String(compressed).padStart(7)} gzip`);
  console.log(`${"in all, of at most " + BUDGET_BYTES}`.padEnd(44) + ` ${String(total).padStart(7)} gzip`);
  if (total > BUDGET_BYTES) {
    console.error(`the page is ${total - BUDGET_BYTES} bytes over its budget of ${BUDGET_BYTES} compressed bytes: make it smaller`);
    process.exit(1);
  }
}

/** Bundles every *.test.ts and runs them with Node's own runner. */
async function test() {
  const found = (await filesIn(path.join(HERE, "src"))).filter((file) => /\.test\.tsx?$/.test(file));
  const folder = await mkdtemp(path.join(tmpdir(), "filamentbox-client-"));
  try {
    await esbuild.build({
      ...COMMON,
      entryPoints: found.map((file) => path.join("src", file)),
      platform: "node",
      minify: false,
      target: "node18",
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      sourcemap: "inline",
    });
    const files = (await filesIn(folder)).filter((file) => file.endsWith(".mjs")).map((file) => path.join(folder, file));
    return spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" }).status ?? 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , mode, folder] = process.argv;
  if (mode === "--out" && folder) report(await build(path.resolve(folder)));
  else if (mode === "--test") process.exitCode = await test();
  else {
    console.error("usage: node build.mjs --out DIR | --test");
    process.exitCode = 2;
  }
}
