// Google's Lighthouse, which others judge pages by: accessibility and best practices.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import lighthouse from "lighthouse";
import { freePort } from "./support/port.mjs";
import { openBrowser } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";

/** Of 100. */
const LEAST = 95;

let browser;
let daemon;
let port;

before(async () => {
  port = await freePort();
  browser = await openBrowser({ port });
  daemon = await new Daemon().start();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

for (const path of ["/", "/history", "/settings"]) {
  test(`Lighthouse: ${path}`, async () => {
    const onlyCategories = ["accessibility", "best-practices"];
    const run = await lighthouse(daemon.url + path, { port, onlyCategories, output: "json", logLevel: "error" });
    for (const name of onlyCategories) {
      const category = run.lhr.categories[name];
      const failed = category.auditRefs
        .map((audit) => run.lhr.audits[audit.id])
        .filter((audit) => audit.score !== null && audit.score < 1)
        .map((audit) => `${audit.id}: ${audit.title}`);
      console.log(`${path} ${name}: ${Math.round(category.score * 100)} ${failed.join("; ")}`);
      assert.ok(category.score * 100 >= LEAST, `${name} ${category.score}: ${failed.join("; ")}`);
    }
  });
}
