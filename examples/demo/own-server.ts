/** A server process of the demo's own, with a data folder of its own: one that may be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../bin/brokerless.ts", import.meta.url));

export class OwnServer {
  readonly folder: string;
  #url = "";
  #process: ChildProcess | undefined;

  readonly #flags: readonly string[];

  /** `flags`: of `brokerless serve`, besides. */
  constructor(flags: readonly string[] = []) {
    this.#flags = flags;
    this.folder = mkdtempSync(join(tmpdir(), "brokerless-demo-"));
  }

  get url(): string {
    return this.#url;
  }

  /** Starts it, at the address it had before. Throws with what the server said when it does not come up. */
  async start(): Promise<void> {
    const address = this.#url === "" ? "127.0.0.1:0" : new URL(this.#url).host;
    const child = spawn(
      process.execPath,
      [PROGRAM, "serve", "--http", address, "--kafka", "off", "--data", join(this.folder, "data"), "--json", ...this.#flags],
      {
        stdio: ["ignore", "pipe", "pipe"],
        // Ctrl-C is for the demo, which then stops its server.
        detached: true,
      },
    );
    this.#process = child;
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
    });
    const line = await Promise.race([
      once(child.stdout, "data").then(([data]) => String(data)),
      once(child, "close").then(() => {
        throw new Error(`the server did not start: ${said.trim()}`);
      }),
    ]);
    this.#url = (JSON.parse(line) as { url: string }).url;
  }

  /** SIGKILL ends it in the middle of whatever it does; SIGTERM lets it finish. */
  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }

  /** For a process that ends now: nothing is left behind, and nothing is waited for. */
  removeNow(): void {
    this.#process?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
