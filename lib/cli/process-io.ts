/** The process's own streams and signals. */
import type { Io } from "./io.ts";

/** The first SIGINT or SIGTERM aborts `interrupted`; the second ends the process at once, by the signal's exit code. */
export function processIo(): Io {
  const interrupt = new AbortController();
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(code);
      interrupt.abort(name);
    });
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    interrupted: interrupt.signal,
  };
}
