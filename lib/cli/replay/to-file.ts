/** A replay into a file of JSON lines. The file is its own state: its last whole lines say where to go on. */
import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import type { RecordsBatch } from "../../client/index.ts";
import { UsageError } from "../exit-codes.ts";
import { ByteBuilder } from "../format/byte-builder.ts";
import { jsonLine } from "../format/json-lines.ts";
import { RecordOnView } from "../format/view.ts";
import { linesOf } from "../input/pieces.ts";

/** What a file holds of a topic. */
export interface FileContent {
  /** Up to the end of the last whole line. */
  readonly sizeBytes: number;
  /** The offset after the last one of each partition. */
  readonly next: ReadonlyMap<number, number>;
}

/** Reads the file of an earlier replay; undefined where there is none. Throws `UsageError` for one that holds something else. */
export async function readReplayFile(path: string, topic: string): Promise<FileContent | undefined> {
  if (!(await exists(path))) return undefined;
  const next = new Map<number, number>();
  let sizeBytes = 0;
  let line = 0;
  const lineFeed = Uint8Array.of(10);
  const input = createReadStream(path, { highWaterMark: 256 * 1024 });
  let total = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of input) {
      total += (chunk as Uint8Array).byteLength;
      yield chunk as Uint8Array;
    }
  }
  for await (const lines of linesOf(counted(), lineFeed)) {
    for (const text of lines) {
      line++;
      const end = sizeBytes + text.byteLength + 1;
      // The last line, cut by whatever stopped the replay.
      if (end > total) return { sizeBytes, next };
      const { partition, offset } = placeOf(text, topic, `${path}:${line}`);
      next.set(partition, offset + 1);
      sizeBytes = end;
    }
  }
  return { sizeBytes, next };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function placeOf(line: Uint8Array, topic: string, where: string): { partition: number; offset: number } {
  let record: { topic?: unknown; partition?: unknown; offset?: unknown };
  try {
    record = JSON.parse(Buffer.from(line).toString()) ?? {};
  } catch {
    throw new UsageError(`--to-file: ${where} is not JSON: --resume goes on only with a file that a replay wrote`);
  }
  const { partition, offset } = record;
  if (record.topic !== topic || !Number.isSafeInteger(partition) || !Number.isSafeInteger(offset)) {
    throw new UsageError(
      `--to-file: ${where} is no record of ${topic}: --resume goes on only with a file that a replay of it wrote`,
    );
  }
  return { partition: partition as number, offset: offset as number };
}

export class ReplayFile {
  readonly #file: FileHandle;
  readonly #pieces = new ByteBuilder();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** A new file, or one to go on with after `keepBytes`. Throws `UsageError` where a new one would replace another. */
  static async open(path: string, keepBytes: number | undefined): Promise<ReplayFile> {
    try {
      const file = await open(path, keepBytes === undefined ? "wx" : "r+");
      if (keepBytes !== undefined) await file.truncate(keepBytes);
      return new ReplayFile(keepBytes === undefined ? file : await reopenAtEnd(file, path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") {
        throw new UsageError(`--to-file ${path}: it is there already; --resume goes on with it`);
      }
      throw error;
    }
  }

  /** Batches of several partitions come at once; each is written whole, one after the other. */
  write(batch: RecordsBatch): Promise<number> {
    const written = this.#last.then(() => this.#append(batch));
    this.#last = written.catch(() => {});
    return written;
  }

  async #append(batch: RecordsBatch): Promise<number> {
    const record = new RecordOnView(batch);
    let records = 0;
    batch.visit((view) => {
      jsonLine(this.#pieces, record.at(view));
      records++;
    });
    await this.#file.appendFile(this.#pieces.take());
    return records;
  }

  /** Durable when it resolves. */
  async close(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
  }
}

async function reopenAtEnd(file: FileHandle, path: string): Promise<FileHandle> {
  await file.close();
  return open(path, "a");
}
