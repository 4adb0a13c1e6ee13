/** The command line in this process: what it is given, and what it says. */
import { Readable } from "node:stream";
import type { Io, OutputStream } from "../../../lib/cli/io.ts";
import { runCli } from "../../../lib/cli/program.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** stdout, byte for byte. */
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly url?: string;
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly env?: Record<string, string>;
  readonly interrupted?: AbortSignal;
  /** Sees stdout as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Pretends that stderr is a terminal. */
  readonly tty?: boolean;
}

export async function brokerless(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const out = new Captured(options.onOutput);
  const err = new Captured(undefined, options.tty === true);
  const { stdin = "" } = options;
  const io: Io = {
    stdin: typeof stdin === "string" || stdin instanceof Uint8Array ? Readable.from([Buffer.from(stdin)]) : stdin,
    stdout: out,
    stderr: err,
    env: { ...(options.url === undefined ? {} : { BROKERLESS_URL: options.url }), ...options.env },
    interrupted: options.interrupted ?? new AbortController().signal,
  };
  const code = await runCli(args, io, "1.2.3");
  return { code, out: out.bytes.toString(), err: err.bytes.toString(), bytes: out.bytes };
}

class Captured implements OutputStream {
  readonly isTTY: boolean;
  readonly #pieces: Buffer[] = [];
  readonly #onOutput: ((text: string) => void) | undefined;

  constructor(onOutput?: (text: string) => void, isTTY = false) {
    this.#onOutput = onOutput;
    this.isTTY = isTTY;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  write(bytes: Uint8Array | string, written: (error?: Error | null) => void): boolean {
    const piece = Buffer.from(bytes as string);
    this.#pieces.push(piece);
    this.#onOutput?.(piece.toString());
    setImmediate(written);
    return true;
  }

  on(): void {}
}

export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
