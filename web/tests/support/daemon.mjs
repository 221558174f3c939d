// The real binary as a daemon in a temporary folder, with its page at a free port.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitFor } from "./wait.mjs";

export const BINARY =
  process.env.FILAMENTBOX_BINARY ?? fileURLToPath(new URL("../../../target/quick/filamentbox", import.meta.url));

/** A daemon, stopped with `stop`. */
export class Daemon {
  /**
   * @param settings by dotted key
   * @param simulate a box whose page is open to everybody (`run --simulate`), or one that has to be set up
   * @param folder of an earlier daemon
   */
  constructor({ settings = {}, simulate = true, arguments: more = [], folder } = {}) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), "filamentbox-page-"));
    const all = { "webui.port": "0", "webui.host": "127.0.0.1", "data_collection.read_interval": "0.5", ...settings };
    if (!simulate) all["sensor.type"] = "simulated";
    const named = Object.entries(all).map(([key, value]) => [variable(key), value]);
    this.environment = { PATH: process.env.PATH, ...Object.fromEntries(named) };
    this.arguments = ["--data-dir", this.folder, "run", ...(simulate ? ["--simulate"] : []), ...more];
  }

  /** Starts it; returns when its page answers. */
  async start() {
    const log = openSync(join(this.folder, "log"), "w");
    this.process = spawn(BINARY, this.arguments, { env: this.environment, stdio: ["ignore", log, log] });
    const url = () => this.log().match(/the page is at (https?:\/\/\S+)/)?.[1];
    await waitFor(`the page's address in ${this.folder}/log`, url);
    this.url = url();
    // The next start is at the same port, as it would be at home.
    this.environment[variable("webui.port")] = new URL(this.url).port;
    return this;
  }

  log() {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** Runs a command of the program; its output, or an error. */
  command(...words) {
    const done = spawnSync(BINARY, ["--data-dir", this.folder, ...words], { env: this.environment, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`filamentbox ${words.join(" ")}: ${done.stderr}${done.stdout}`);
    return done.stdout;
  }

  /** The daemon's state, by the socket. */
  status() {
    return JSON.parse(this.command("status", "--json"));
  }

  /** Ends it as a power cut of the program would, or in good order. */
  async end(signal = "SIGTERM") {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill(signal);
    await ended;
    this.process = undefined;
  }

  /** Ends it and removes its folder. */
  async stop() {
    if (this.process) await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function variable(key) {
  return `FILAMENTBOX_${key.toUpperCase().replaceAll(".", "__")}`;
}
