// How soon the page can be used: from the first request to a reading on the screen, on a processor slowed down four times, with nothing in
// the browser's cache. Printed, never asserted: `make bench`.
import { openBrowser, visitor } from "./support/browser.mjs";
import { Daemon } from "./support/daemon.mjs";

const SLOWED = 4;
const TIMES = 7;

const browser = await openBrowser();
const daemon = await new Daemon().start();
try {
  const times = [];
  let bytes = 0;
  for (let time = 0; time < TIMES; time += 1) {
    const { page, context } = await visitor(browser);
    const debug = await context.newCDPSession(page);
    await debug.send("Emulation.setCPUThrottlingRate", { rate: SLOWED });
    await debug.send("Network.enable");
    bytes = 0;
    debug.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
    // Noted by the page itself when it changes: asking it again and again would slow down what is measured.
    await page.addInitScript(() => {
      const look = () => {
        if (globalThis.firstReadingAt === undefined && /\d °C/.test(document.querySelector("main")?.textContent ?? "")) globalThis.firstReadingAt = performance.now();
      };
      new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
    });
    await page.goto(daemon.url, { waitUntil: "commit" });
    await page.waitForFunction(() => globalThis.firstReadingAt !== undefined, undefined, { polling: 500 });
    times.push(await page.evaluate(() => globalThis.firstReadingAt));
    await context.close();
  }
  times.sort((a, b) => a - b);
  const rounded = times.map((time) => Math.round(time));
  console.log(
    `page: first load to a reading on the screen, processor slowed ${SLOWED} times: median ${rounded[Math.floor(TIMES / 2)]} ms,` +
      ` least ${rounded[0]}, most ${rounded[TIMES - 1]}; ${Math.round(bytes / 1000)} kB over the network`,
  );
} finally {
  await browser.close();
  await daemon.stop();
}
