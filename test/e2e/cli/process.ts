/** The command line as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Running {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly output: { out: string; err: string };
  /** Resolves when stdout holds the text. */
  says(text: string): Promise<void>;
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, ["bin/brokerless.ts", ...args], {
    // Servers in tests take any port for Kafka clients, too.
    env: { ...process.env, BROKERLESS_KAFKA: "127.0.0.1:0", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = { out: "", err: "" };
  child.stdout.on("data", (data) => (output.out += data));
  child.stderr.on("data", (data) => (output.err += data));
  const ended = once(child, "close").then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals);
  return {
    child,
    output,
    ended,
    async says(text) {
      while (!output.out.includes(text)) {
        const over = await Promise.race([once(child.stdout, "data").then(() => false), ended.then(() => true)]);
        if (over && !output.out.includes(text)) throw new Error(`it ended without saying ${JSON.stringify(text)}: ${output.err}`);
      }
    },
  };
}
