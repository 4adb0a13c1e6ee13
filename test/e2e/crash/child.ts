/** A child process whose lines are heard until it is killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Child {
  /** Resolves when it said it is ready; rejects with what it printed when it ended before. */
  readonly ready: Promise<void>;
  /** Resolves after it ended and everything it said was heard; rejects with what `said` threw. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly errors: string }>;
  kill(): void;
}

/** Runs this Node with a script. `said` gets each whole line; a line that death cut short is dropped. */
export function startChild(
  script: string,
  args: readonly string[],
  said: (line: string) => void,
  isReady: (line: string) => boolean,
  env: NodeJS.ProcessEnv = process.env,
): Child {
  const child = spawn(process.execPath, ["--no-warnings", script, ...args], { stdio: ["pipe", "pipe", "pipe"], env });
  const ready = Promise.withResolvers<void>();
  let rest = "";
  let errors = "";
  let failure: unknown;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) {
      try {
        if (isReady(line)) ready.resolve();
        else said(line);
      } catch (error) {
        failure ??= error;
      }
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdin.on("error", () => undefined);
  const ended = once(child, "close").then(([code, signal]) => {
    ready.reject(new Error(`${script} ended (${code ?? signal}) before it was ready: ${errors}`));
    if (failure !== undefined) throw failure;
    return { code, signal, errors };
  });
  ready.promise.catch(() => undefined);
  ended.catch(() => undefined);
  return { ready: ready.promise, ended, kill: () => child.kill("SIGKILL") };
}
