// The first five minutes: a box nobody has set up, from the code in the log to a reading on the phone; then the ways back in.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openBrowser, picture, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";
import { waitFor } from "./support/wait.mjs";

const PASSWORD = "quite a long password";

describe("a box that nobody has set up", () => {
  let browser;
  let daemon;
  let guest;
  before(async () => {
    browser = await openBrowser();
    daemon = await new Daemon({ simulate: false }).start();
    guest = await visitor(browser);
  });
  after(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  test("shows nothing but the way to set it up", async () => {
    await guest.page.goto(daemon.url);
    await guest.page.getByRole("link", { name: /set it up/i }).or(guest.page.getByRole("heading", { name: "Setup" })).first().waitFor();
    assert.doesNotMatch(await guest.page.locator("body").innerText(), /\d °C/);
    const refused = await guest.page.request.get(`${daemon.url}/api/status`);
    assert.equal(refused.status(), 401);
  });

  test("a wrong code is told with the tries that are left", async () => {
    await guest.page.goto(`${daemon.url}/setup`);
    await guest.page.getByLabel(/code/i).first().fill("aaaaa-bbbbb-ccccc-ddddd-eeeee-f");
    await fillPassword(guest.page);
    await guest.page.getByRole("button", { name: /^(set|save|go on|next|continue)/i }).first().click();
    await guest.page.getByText(/tries|try/i).first().waitFor();
    await picture(guest.page, "setup-wrong-code");
  });

  test("the address that setup-code prints leads through the steps", async () => {
    const printed = daemon.command("setup-code");
    const address = printed.match(/https?:\/\/\S+/)?.[0];
    assert.ok(address, printed);
    // The name in it is the machine's; the browser here knows the address only.
    const there = new URL(address);
    await guest.page.goto(`${daemon.url}${there.pathname}${there.hash}`);
    await fillPassword(guest.page);
    await picture(guest.page, "setup-password");
    await guest.page.getByRole("button", { name: /^(set|save|go on|next|continue)/i }).first().click();
    for (const step of [/sensor/i, /output|heater/i, /threshold|dry|warm/i, /database/i]) {
      await guest.page.getByRole("heading", { level: 2, name: step }).waitFor();
      await picture(guest.page, `setup-${await guest.page.locator("h2.step-title").innerText().then((text) => text.replace(/\W+/g, "-").toLowerCase())}`);
      await guest.page.getByRole("button", { name: /^(go on|next|continue|skip|without|later|save)/i }).last().click();
    }
    await guest.page.getByRole("link", { name: /now|start|page/i }).first().click();
    await guest.page.getByText(/\d °C/).first().waitFor();
    await picture(guest.page, "setup-done-now");
  });

  test("another visitor needs the password, and may switch off without it", async () => {
    const other = await visitor(browser, { size: "desktop" });
    await other.page.goto(`${daemon.url}/login`);
    await other.page.getByRole("button", { name: /^OFF/ }).click();
    await other.page.locator(".off-result").waitFor();
    await other.page.getByLabel("Password", { exact: true }).fill("not the password");
    await other.page.getByRole("button", { name: "Log in" }).click();
    await other.page.getByText("That is not the password.").waitFor();
    await picture(other.page, "login-wrong");
    await other.page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await other.page.getByRole("button", { name: "Log in" }).click();
    await other.page.getByText(/\d °C/).first().waitFor();
    await other.context.close();
  });

  test("nothing was asked of others, refused by the policy, or thrown", () => assert.deepEqual(guest.problems, []));
});

/** In one field or in two. */
async function fillPassword(page) {
  const fields = page.locator("input[autocomplete='new-password']");
  await waitFor("a field for the password", () => fields.count());
  for (let nth = 0; nth < (await fields.count()); nth += 1) await fields.nth(nth).fill(PASSWORD);
}
