// Debian's Chromium, driven by Playwright. A page that asks another host for anything, breaks its own content security policy or throws
// fails its test.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const SCREENSHOTS = resolve(process.env.FILAMENTBOX_SCREENSHOTS ?? "../../target/screenshots");

/** The two sizes that everything is looked at. */
export const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  desktop: { viewport: { width: 1280, height: 800 } },
};

/** A browser; `port` is one for tools that speak its own protocol. */
export async function openBrowser({ port } = {}) {
  const more = port === undefined ? [] : [`--remote-debugging-port=${port}`];
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...more] });
}

/** A visitor: a page of a fresh profile, which remembers what went wrong on it. */
export async function visitor(browser, { size = "phone", scheme = "light", ...more } = {}) {
  const context = await browser.newContext({ ...SIZES[size], colorScheme: scheme, reducedMotion: "reduce", locale: "en-GB", ...more });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`thrown: ${error}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) problems.push(message.text());
  });
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (/^http/.test(protocol) && hostname !== "127.0.0.1") problems.push(`asked another host: ${request.url()}`);
  });
  return { page, context, problems };
}

/** Keeps a picture for people to look at. */
export async function picture(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

/** A folder that is gone after `use`. */
export async function temporaryFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "filamentbox-browser-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
