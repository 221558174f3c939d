// The page of a box at work: switching by hand, a refusal where the button was pressed, the big OFF, and what happens without a network.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openBrowser, picture, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";
import { waitFor } from "./support/wait.mjs";

let browser;
before(async () => (browser = await openBrowser()));
after(async () => browser?.close());

/** The card of an output, and what it says. */
const card = (page, title) => page.locator("section.output").filter({ has: page.getByRole("heading", { name: title }) });

for (const size of ["phone", "desktop"]) {
  describe(`a box at work, ${size}`, () => {
    let daemon;
    let guest;
    before(async () => {
      daemon = await new Daemon({ settings: { "heating_control.min_on": "0", "heating_control.min_off": "0" } }).start();
      guest = await visitor(browser, { size });
      await guest.page.goto(daemon.url);
      await guest.page.getByText(/\d °C/).first().waitFor();
    });
    after(async () => {
      await guest?.context.close();
      await daemon?.stop();
    });

    test("shows the reading, grams of water, dew point, and how fresh it is", async () => {
      const text = await guest.page.locator("main").innerText();
      for (const shown of [/\d °C/, /\d ?%/, /g\/m³/, /dew point/i, /ago|now/i]) assert.match(text, shown);
    });

    test("a heater is switched on by hand, says until when, and goes back to automatic", async () => {
      const heater = card(guest.page, "Heater");
      await heater.getByRole("button", { name: "Heater: On 30 min" }).click();
      await heater.getByText(/By hand: on for .* more/).waitFor();
      await waitFor("the heater on", () => daemon.status().controls.heater.on);
      assert.equal(await heater.locator(".output-state").innerText(), "ON");
      await picture(guest.page, `override-${size}`);
      await heater.getByRole("button", { name: "Heater: Auto" }).click();
      await heater.getByText("Automatic", { exact: true }).waitFor();
      assert.equal(daemon.status().controls.heater.manual, null);
    });

    test("OFF switches both off and says what resulted", async () => {
      await guest.page.getByRole("button", { name: /^OFF/ }).click();
      await guest.page.getByText("Off, until somebody chooses Auto.").waitFor();
      const { heater, fan } = daemon.status().controls;
      assert.deepEqual([heater.manual, fan.manual, heater.on, fan.on], [false, false, false, false]);
      await picture(guest.page, `off-${size}`);
    });

    test("without the daemon the picture stays and says how old it is; the page opens again without it", async () => {
      // The worker keeps the page itself from its second visit on.
      await guest.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      await guest.page.reload();
      await guest.page.getByText(/\d °C/).first().waitFor();
      await daemon.end("SIGKILL");
      await guest.page.getByText("No connection").waitFor();
      await guest.page.reload();
      await guest.page.getByText("No connection").waitFor();
      await guest.page.getByText(/\d °C/).first().waitFor();
      await waitFor("words for how old it is", async () => /(old|ago|since|last)/i.test(await guest.page.locator("main").innerText()));
      await picture(guest.page, `offline-${size}`);
      await daemon.start();
      await guest.page.getByText("Live", { exact: true }).waitFor();
    });

    test("nothing was asked of others, refused by the policy, or thrown", () => assert.deepEqual(guest.problems, []));
  });
}

test("a refusal of the interlock stands where the button was pressed", async () => {
  const daemon = await new Daemon({ settings: { "simulation.fault": "unplugged" } }).start();
  const { page, context } = await visitor(browser);
  try {
    await page.goto(daemon.url);
    const heater = card(page, "Heater");
    await heater.getByRole("button", { name: "Heater: On 30 min" }).click();
    await heater.getByText("Still off: no reading yet").first().waitFor();
    assert.equal(daemon.status().controls.heater.on, false);
    await picture(page, "refusal");
  } finally {
    await context.close();
    await daemon.stop();
  }
});

test("units and looks are kept; the keyboard reaches everything", async () => {
  const daemon = await new Daemon().start();
  const { page, context } = await visitor(browser, { size: "desktop" });
  try {
    await page.goto(daemon.url);
    await page.getByText(/\d °C/).first().waitFor();
    // The first stop is the way past the navigation.
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), "Skip to the content");
    const reached = new Set();
    for (let stop = 0; stop < 40; stop += 1) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim()));
    }
    for (const wanted of ["History", "Settings", "Heater: On 30 min", "Heater: Auto"]) {
      assert.ok([...reached].some((name) => name?.includes(wanted)), `the Tab key never reached ${wanted}: ${[...reached].join(", ")}`);
    }
    await page.getByRole("button", { name: /°F|Fahrenheit/ }).or(page.getByRole("radio", { name: /°F|Fahrenheit/ })).first().click();
    await page.getByText(/\d °F/).first().waitFor();
    await page.reload();
    await page.getByText(/\d °F/).first().waitFor();
  } finally {
    await context.close();
    await daemon.stop();
  }
});
