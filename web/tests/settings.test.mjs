// Settings: a threshold is changed after a review, a wrong value is refused at its field, a secret goes in and never comes out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, picture, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";
import { waitFor } from "./support/wait.mjs";

let browser;
let daemon;
before(async () => {
  browser = await openBrowser();
  daemon = await new Daemon().start();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

/** The field of a key, by its name as the page shows it. */
const field = (page, key) => page.locator(`[id$="${key}"], [name="${key}"]`).first();

async function save(page) {
  await page.getByRole("link", { name: /review/i }).first().click();
  await page.getByRole("button", { name: /^Save/ }).waitFor();
  await picture(page, "settings-review");
  await page.getByRole("button", { name: /^Save/ }).click();
}

test("a threshold is changed after a review, and applied at once", async () => {
  const { page, context, problems } = await visitor(browser);
  await page.goto(`${daemon.url}/settings?at=heater`);
  await field(page, "heating_control.max_temp_c").fill("24.5");
  await save(page);
  await waitFor("the new limit", () => daemon.status().limits.max_temp_c === 24.5);
  assert.deepEqual(problems, []);
  await context.close();
});

test("two values that contradict each other are refused, and nothing changes", async () => {
  const { page, context } = await visitor(browser, { size: "desktop" });
  await page.goto(`${daemon.url}/settings?at=heater`);
  const before = daemon.status().limits.max_temp_c;
  await field(page, "heating_control.max_temp_c").fill("19");
  await save(page);
  await page.getByText("20 and 19 are not allowed together").first().waitFor();
  await picture(page, "settings-refused");
  assert.equal(daemon.status().limits.max_temp_c, before);
  await context.close();
});

test("a secret goes in and never comes out", async () => {
  const { page, context } = await visitor(browser);
  const seen = [];
  page.on("response", async (response) => seen.push(await response.text().catch(() => "")));
  daemon.command("config", "set", "database.influxdb_v2.token=very-secret-token");
  await page.goto(`${daemon.url}/settings?at=databases`);
  await page.waitForTimeout(2000);
  assert.ok(!seen.some((text) => text.includes("very-secret-token")));
  assert.doesNotMatch(await page.content(), /very-secret-token/);
  await context.close();
});
