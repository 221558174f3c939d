// The start of the page.

import { render } from "preact";
import { App } from "./app";
import { follow } from "./live";
import { followTheme } from "./preferences";
import { refreshSession } from "./session";

followTheme();
void refreshSession();
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
