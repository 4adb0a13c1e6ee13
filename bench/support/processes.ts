/** The processes of a benchmark: the server as a user starts it, a baseline, the load. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Measured, Order } from "../load/order.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Served {
  readonly process: ChildProcess;
  readonly port: number;
  stop(): Promise<void>;
  /** Resident memory, in MB; NaN where the system does not tell. */
  memoryMegabytes(): number;
}

/** Runs a script and resolves with the port of the first URL that it prints. */
export async function served(script: string, args: readonly string[]): Promise<Served> {
  const child = spawn(process.execPath, [`${root}${script}`, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise<number>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (piece) => {
      text += piece;
      const url = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text);
      if (url !== null) resolve(Number(url[1]));
    });
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}: ${text}`)));
  });
  return {
    process: child,
    port,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
    memoryMegabytes() {
      try {
        return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
      } catch {
        return Number.NaN;
      }
    },
  };
}

/** Runs one order in a process of its own, whose script is `answering`. */
export async function inProcess<O extends object>(script: string, order: O): Promise<Measured> {
  // KafkaJS asks for time-outs in the past.
  const execArgv = [...process.execArgv, "--disable-warning=TimeoutNegativeWarning"];
  const child = fork(`${root}${script}`, { stdio: "inherit", execArgv });
  child.send(order);
  const [answer] = (await once(child, "message")) as [{ measured?: Measured; error?: string }];
  if (answer.measured === undefined) throw new Error(answer.error);
  return answer.measured;
}

export function loaded(order: Order): Promise<Measured> {
  return inProcess("bench/load/main.ts", order);
}

/** In such a process: runs the order that comes, answers, and ends. */
export function answering<O>(run: (order: O) => Promise<Measured>): void {
  process.once("message", (order: O) => {
    run(order).then(
      (measured) => process.send?.({ measured }, () => process.exit(0)),
      (error) => process.send?.({ error: String(error?.stack ?? error) }, () => process.exit(1)),
    );
  });
}
