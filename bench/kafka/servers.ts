/** The servers that are measured side by side. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface MeasuredServer {
  readonly name: string;
  /** `host:port` of the Kafka protocol. */
  readonly kafka: string;
  /** Where it also takes frames over HTTP. */
  readonly url?: string;
  /** Resident memory, in MB; NaN where the system does not tell. */
  memoryMegabytes(): number;
  stop(): Promise<void>;
}

export function memoryMegabytes(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** `brokerless serve`, as `npm start` runs it. */
export async function startBrokerless(folder: string): Promise<MeasuredServer> {
  const args = ["serve", "--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--data", folder];
  const child: ChildProcess = spawn(process.execPath, [`${root}bin/brokerless.ts`, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const addresses = await new Promise<{ url: string; kafka: string }>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (piece) => {
      text += piece;
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
      const kafka = /connect to (127\.0\.0\.1:\d+)/.exec(text)?.[1];
      if (url !== undefined && kafka !== undefined) resolve({ url, kafka });
    });
    child.once("exit", (code) => reject(new Error(`brokerless serve ended with ${code}: ${text}`)));
  });
  return {
    name: "Brokerless",
    ...addresses,
    memoryMegabytes: () => memoryMegabytes(child.pid),
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}
