/** NATS JetStream out of its Go modules: what our queue is measured beside. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installGo } from "../../.ci/clients/install.ts";
import type { Measured } from "../load/order.ts";

/** `default`: the disk is told every two minutes. `always`: each write of a stream is on the disk before it is acknowledged. */
type Sync = "default" | "always";

interface Nats {
  fill(stream: string, records: number): Promise<void>;
  work(stream: string, workers: number, messages: number, durationMs: number): Promise<Measured>;
  stop(): Promise<void>;
}

/** The program `nats.go`, compiled; undefined and a word to the user where there is no Go. */
export async function natsProgram(): Promise<string | undefined> {
  const sources = fileURLToPath(new URL(".", import.meta.url));
  const modules = ["github.com/nats-io/nats-server/v2@v2.15.2", "github.com/nats-io/nats.go@v1.55.0"] as const;
  const installed = await installGo("nats", sources, modules);
  if (installed.missing === undefined) return installed.command;
  console.error(`${installed.missing}: NATS is not measured`);
  return undefined;
}

export async function startNats(program: string, folder: string, sync: Sync): Promise<Nats> {
  const child = spawn(program, ["serve", folder, sync], { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`nats serve ended with ${code}`))),
  ])) as [string];
  const told = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(program, args, { timeout: 120_000 });
    return stdout;
  };
  return {
    async fill(stream, records) {
      await told("fill", url, stream, String(records));
    },
    async work(stream, workers, messages, durationMs) {
      const sizes = [workers, messages, Math.round(durationMs)].map(String);
      return JSON.parse(await told("work", url, stream, ...sizes)) as Measured;
    },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}
