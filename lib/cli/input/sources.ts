/** Where `produce` reads from: files, one after the other, or stdin. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Io } from "../io.ts";

export interface Source {
  /** As it is named in messages. */
  readonly name: string;
  /** Undefined where it is not known. */
  readonly sizeBytes: number | undefined;
  open(): AsyncIterable<Uint8Array>;
}

/** Looks at every file before the first is read. Throws an `Error` that names the one that cannot be. `-` is stdin. */
export async function sourcesOf(files: readonly string[], io: Io): Promise<Source[]> {
  const names = files.length === 0 ? ["-"] : files;
  return Promise.all(
    names.map(async (name) => {
      if (name === "-") return { name: "stdin", sizeBytes: undefined, open: () => io.stdin };
      const info = await stat(name).catch((error: NodeJS.ErrnoException) => {
        throw new Error(error.code === "ENOENT" ? `${name}: there is no such file` : `${name}: ${error.message}`);
      });
      if (info.isDirectory()) throw new Error(`${name}: this is a folder`);
      const sizeBytes = info.isFile() ? info.size : undefined;
      return { name, sizeBytes, open: () => createReadStream(name, { highWaterMark: 256 * 1024 }) };
    }),
  );
}

/** The same, but ends when the signal aborts, also while nothing arrives. */
export async function* untilAborted<T>(input: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const iterator = input[Symbol.asyncIterator]();
  const ended = Symbol("ended");
  const aborted = new Promise<typeof ended>((resolve) => {
    if (signal.aborted) resolve(ended);
    else signal.addEventListener("abort", () => resolve(ended), { once: true });
  });
  for (;;) {
    const next = await Promise.race([iterator.next(), aborted]);
    // The source may never settle again: it is left alone, not closed.
    if (next === ended || next.done === true) return;
    yield next.value;
  }
}
