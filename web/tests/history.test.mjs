// History, events and outbox of a box that has run for a while.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, picture, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";
import { waitFor } from "./support/wait.mjs";

let browser;
let daemon;
before(async () => {
  browser = await openBrowser();
  // A backend that nobody serves: its points wait.
  const settings = { "database.type": "influxdb_v1", "database.influxdb_v1.url": "http://127.0.0.1:9", "database.influxdb_v1.database": "box", "data_collection.read_interval": "5" };
  daemon = await new Daemon({ settings, arguments: ["--time-scale", "600"] }).start();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
});

for (const size of ["phone", "desktop"]) {
  test(`history: an hour, a zoom, a day, the numbers and the CSV, ${size}`, async () => {
    const { page, context, problems } = await visitor(browser, { size });
    const asked = [];
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.pathname === "/api/history") asked.push(url.searchParams);
    });
    await page.goto(`${daemon.url}/history?range=1h`);
    await page.locator("canvas").first().waitFor();
    await waitFor("a chart with points", async () => asked.length > 0);
    const first = asked.at(-1);
    const span = (query) => Number(query.get("to")) - Number(query.get("from"));
    await page.getByRole("button", { name: /zoom in/i }).click();
    await waitFor("finer points", () => span(asked.at(-1)) < span(first) * 0.9);
    await picture(page, `history-zoomed-${size}`);
    await page.getByRole("radio", { name: /24 h/ }).or(page.getByRole("button", { name: /24 h/ })).or(page.getByRole("link", { name: /24 h/ })).first().click();
    await waitFor("a day", () => span(asked.at(-1)) > 20 * 3600);
    await picture(page, `history-day-${size}`);
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /CSV/ }).first().click()]);
    assert.match(file.suggestedFilename(), /^filamentbox.*\.csv$/);
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test("events: each with its reason, and a filter", async () => {
  const { page, context, problems } = await visitor(browser);
  await page.goto(`${daemon.url}/events`);
  await page.getByText(/heater (on|off):/i).first().waitFor();
  await page.getByRole("searchbox").fill("no such words anywhere");
  await waitFor("nothing found", async () => !(await page.getByText(/heater (on|off):/i).first().isVisible()));
  await picture(page, "events-none");
  assert.deepEqual(problems, []);
  await context.close();
});

test("outbox: what waits, why, and whether the books balance", async () => {
  const { page, context, problems } = await visitor(browser);
  await page.goto(`${daemon.url}/outbox`);
  await page.getByText(/influxdb/i).first().waitFor();
  await page.getByText(/refused|cannot|unreachable|fail/i).first().waitFor();
  const { totals } = daemon.status().database.sinks[0];
  assert.equal(totals.sampled, totals.delivered + totals.waiting + totals.dead_letter + totals.superseded + totals.evicted);
  await picture(page, "outbox");
  assert.deepEqual(problems, []);
  await context.close();
});
