import assert from "node:assert/strict";
import { test } from "node:test";
import { shownPage } from "./access";
import { isPlainClick, pageAt } from "./router";
import type { Session } from "./types";

test("addresses and their pages", () => {
  assert.equal(pageAt("/"), "now");
  assert.equal(pageAt("/history"), "history");
  assert.equal(pageAt("/history/"), "history");
  assert.equal(pageAt("/kiosk"), "kiosk");
  assert.equal(pageAt("/nothing-here"), "now");
  assert.equal(pageAt("//"), "now");
});

test("who sees what", () => {
  const who = (state: Session["state"], rights: Session["rights"]): Session => ({
    state,
    rights,
    simulated: false,
    public_read: false,
    confirmed_until: null,
    name: "box",
    version: "0",
  });
  assert.equal(shownPage("history", null), "history", "nothing is known yet: the picture of the last visit is shown");
  assert.equal(shownPage("history", who("setup", [])), "setup");
  assert.equal(shownPage("history", who("login", [])), "login");
  assert.equal(shownPage("history", who("login", ["read"])), "history");
  assert.equal(shownPage("settings", who("in", ["read", "control", "configure"])), "settings");
});

test("a click with a key is the browser's", () => {
  const click = { button: 0, defaultPrevented: false, metaKey: false, ctrlKey: false, shiftKey: false, altKey: false } as MouseEvent;
  assert.ok(isPlainClick(click));
  assert.ok(!isPlainClick({ ...click, ctrlKey: true }));
  assert.ok(!isPlainClick({ ...click, button: 1 }));
});
