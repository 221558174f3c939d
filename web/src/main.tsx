// The start of the page.

import { render } from "preact";
import { App } from "./app";
import { follow } from "./live";
import { followTheme } from "./preferences";
import { refreshSession } from "./session";

/** A session ends when nothing is asked for half an hour, and following the stream is no question: whoever looks stays logged in. */
const STAY_MS = 10 * 60_000;

followTheme();
void refreshSession();
setInterval(() => {
  if (!document.hidden) void refreshSession();
}, STAY_MS);
follow();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);

// After the first picture, so that it does not compete with it.
if ("serviceWorker" in navigator) {
  addEventListener("load", () => {
    navigator.serviceWorker.register("/sw.js").catch(() => {
      // Not over HTTPS or localhost, or forbidden: the page works, only not without a network.
    });
  });
}
