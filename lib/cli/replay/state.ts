/**
 * What a replay to another topic must know to go on after it was stopped anywhere, without leaving out a record or
 * writing one twice. It is saved before each slice is sent: then a slice that may have been written is sent again under
 * the same numbers, and the server knows it.
 */
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "../exit-codes.ts";

/** Who writes to one partition of the target on behalf of one partition of the source. */
export interface Writer {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of the next record. */
  readonly sequence: number;
}

export interface SourceProgress {
  /** Every record before it is written. */
  next: number;
  /** The slice from `next` on that was being sent: one after its last offset, and its records for each target partition. */
  sending?: { readonly to: number; readonly records: Readonly<Record<string, number>> };
  /** By target partition; as they were before the slice that is being sent. */
  writers: Record<string, Writer>;
}

export interface ReplayState {
  readonly version: 1;
  readonly clusterId: string;
  readonly from: string;
  readonly to: string;
  /** By source partition. */
  readonly partitions: Record<string, SourceProgress>;
}

export class StateFile {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();
  /** A save that has not begun: it will see what is changed until then. */
  #next: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined where there is no file. Throws `UsageError` for a file that is no state, or of another replay. */
  async load(expected: Pick<ReplayState, "clusterId" | "from" | "to">): Promise<ReplayState | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const state = parse(text);
    if (state === undefined) throw new UsageError(`--state ${this.#path}: the file is not the state of a replay`);
    for (const name of ["from", "to", "clusterId"] as const) {
      if (state[name] !== expected[name]) {
        throw new UsageError(
          `--state ${this.#path}: it belongs to another replay (${name} is ${state[name]}, not ${expected[name]})`,
        );
      }
    }
    return state;
  }

  /** Replaces the file as a whole; resolves when it durably holds the state as it is now, or later. */
  save(state: ReplayState): Promise<void> {
    this.#next ??= this.#saving.then(async () => {
      this.#next = undefined;
      const path = `${this.#path}.new`;
      const file = await open(path, "w");
      try {
        await file.writeFile(`${JSON.stringify(state)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(path, this.#path);
      await syncFolder(dirname(this.#path));
    });
    this.#saving = this.#next;
    return this.#next;
  }
}

/** An older state would make the replay send what it has sent in slices that are cut elsewhere. */
async function syncFolder(path: string): Promise<void> {
  // Windows has no handle for a folder; there the rename itself is what there is.
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function parse(text: string): ReplayState | undefined {
  try {
    const state = JSON.parse(text) as ReplayState;
    return state.version === 1 && typeof state.partitions === "object" ? state : undefined;
  } catch {
    return undefined;
  }
}
