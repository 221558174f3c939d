// axe-core finds nothing to complain of, on any page, in either size and either colour scheme; and the pages read well without a mouse.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { openBrowser, picture, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PAGES = ["/", "/history", "/events", "/outbox", "/settings", "/setup", "/kiosk"];

let browser;
let open;
let locked;

before(async () => {
  browser = await openBrowser();
  open = await new Daemon().start();
  locked = await new Daemon({ simulate: false }).start();
});
after(async () => {
  await browser?.close();
  await open?.stop();
  await locked?.stop();
});

/** What axe has to say, a line a finding. */
async function findings(page) {
  // By the debugger's own way in: the page's security policy lets no script from elsewhere in, as it should.
  await page.addScriptTag({ path: AXE }).catch(() => undefined);
  const results = await page.evaluate(async () => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return results.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${violation.help}: ${node.html.slice(0, 200)}`),
  );
}

for (const size of ["phone", "desktop"]) {
  for (const scheme of ["light", "dark"]) {
    for (const path of PAGES) {
      test(`axe: ${path}, ${size}, ${scheme}`, async () => check(() => open.url, path, size, scheme, ""));
    }
  }
  for (const path of ["/", "/setup"]) {
    test(`axe: ${path} of a box that is not set up, ${size}`, async () =>
      check(() => locked.url, path, size, "light", "locked-"));
  }
}

async function check(url, path, size, scheme, prefix) {
  const { page, context, problems } = await visitor(browser, { size, scheme, bypassCSP: true });
  try {
    await page.goto(url() + path);
    await page.waitForSelector("main h1, main h2, [data-kiosk]");
    await page.waitForTimeout(1500);
    const name = path === "/" ? "now" : path.slice(1);
    await picture(page, `${prefix}${name}-${size}-${scheme}`);
    assert.deepEqual(await findings(page), []);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wider <= 0, `the page is ${wider} px wider than the screen`);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}
