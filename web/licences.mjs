// Checks that docs/THIRD_PARTY.md carries the licence of every package whose code is in the page, and that only the declared packages are in it.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { packagesIn } from "./build.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const words = (text) => text.replace(/\s+/g, " ").trim();

const folder = await mkdtemp(path.join(tmpdir(), "filamentbox-licences-"));
const notices = words(await readFile(path.join(HERE, "../docs/THIRD_PARTY.md"), "utf8"));
const declared = Object.keys(JSON.parse(await readFile(path.join(HERE, "package.json"), "utf8")).dependencies);
const bundled = await packagesIn(folder);
await rm(folder, { recursive: true, force: true });
for (const name of new Set([...declared, ...bundled])) {
  const licence = await readFile(path.join(HERE, "node_modules", name, "LICENSE"), "utf8");
  if (!declared.includes(name)) fail(`${name} is in the page and not among the dependencies of web/package.json`);
  if (!notices.includes(words(licence))) fail(`docs/THIRD_PARTY.md lacks the licence of ${name} (web/node_modules/${name}/LICENSE)`);
}

function fail(problem) {
  console.error(problem);
  process.exitCode = 1;
}
