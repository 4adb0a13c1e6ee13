/**
 * Group commit. Everything that waits goes into one transaction with one sync; its answers are sent when it is durable.
 * Reads are answered first: they run beside these writes, so either order is right.
 *
 * G1  No answer to a write is sent before the commit that holds it has returned.
 * G2  What is answered as not applied was rolled back. Where the commit itself failed and that cannot be told, the
 *     answer is `unknown` and nothing is written any more: what the disk holds is known again when it is opened anew.
 */
import { StorageError } from "../../../ports/index.ts";
import { systemClock } from "../../system/clock.ts";
import { ByteReader, ByteWriter } from "../codec.ts";
import { isWriting, NOTE, STATUS, writeError } from "../protocol.ts";
import { type Run, readRequest } from "./requests.ts";
import type { Store } from "./store.ts";

interface Request {
  readonly number: number;
  readonly run: Run;
}

export class Groups {
  readonly #store: Store;
  readonly #send: (answers: Uint8Array<ArrayBuffer>) => void;
  readonly #answers = new ByteWriter(64 * 1024);
  #failed: StorageError | undefined;
  #nowMs = 0;

  constructor(store: Store, send: (answers: Uint8Array<ArrayBuffer>) => void) {
    this.#store = store;
    this.#send = send;
  }

  /** Does all that these messages ask for. */
  run(messages: readonly Uint8Array[]): void {
    const reads: Request[] = [];
    const writes: Request[] = [];
    for (const message of messages) this.#read(message, reads, writes);
    if (reads.length > 0) {
      for (const request of reads) this.#look(request);
      this.#send(this.#answers.take());
    }
    if (writes.length > 0) {
      const beganMs = systemClock.monotonicMs();
      this.#commit(writes);
      this.#note("storage_commit_ms", systemClock.monotonicMs() - beganMs);
      this.#note("storage_commit_writes", writes.length);
      this.#send(this.#answers.take());
    }
    if (this.#store.needsCheckpoint) this.#checkpoint();
  }

  #checkpoint(): void {
    const beganMs = systemClock.monotonicMs();
    try {
      this.#store.checkpoint();
      this.#note("storage_checkpoint_ms", systemClock.monotonicMs() - beganMs);
    } catch {
      this.#note("storage_checkpoint_failures", 1);
    }
    this.#send(this.#answers.take());
  }

  #note(metric: string, value: number): void {
    this.#answers.varint(NOTE);
    this.#answers.text(metric);
    this.#answers.double(value);
  }

  #read(message: Uint8Array, reads: Request[], writes: Request[]): void {
    const from = new ByteReader(message, { copy: true });
    this.#nowMs = from.double();
    while (!from.atEnd) {
      const number = from.varint();
      const kind = from.byte();
      const run = readRequest(kind, from, this.#nowMs, this.#store);
      (isWriting(kind) ? writes : reads).push({ number, run });
    }
  }

  #commit(writes: readonly Request[]): void {
    if (this.#failed !== undefined) {
      this.#refuse(writes, this.#failed);
      return;
    }
    try {
      this.#store.begin(this.#nowMs);
      for (const { number, run } of writes) this.#answer(number, run);
    } catch (error) {
      this.#answers.rewind();
      this.#rollback();
      // One of them spoils it for all: each by itself.
      if (writes.length > 1) for (const one of writes) this.#alone(one);
      else this.#refuse(writes, notApplied(error));
      return;
    }
    try {
      this.#store.commit();
    } catch (error) {
      this.#answers.rewind();
      this.#refuse(writes, this.#afterCommit(error));
    }
  }

  /** A group of one. */
  #alone(request: Request): void {
    if (this.#failed !== undefined) {
      this.#refuse([request], this.#failed);
      return;
    }
    const before = this.#answers.sizeBytes;
    let committing = false;
    try {
      this.#store.begin(this.#nowMs);
      this.#answer(request.number, request.run);
      committing = true;
      this.#store.commit();
    } catch (error) {
      this.#answers.rewind(before);
      if (committing) this.#refuse([request], this.#afterCommit(error));
      else {
        this.#rollback();
        this.#refuse([request], notApplied(error));
      }
    }
  }

  /** What a failed commit means. No space: nothing of it counts. Anything else: nobody knows what the disk holds. */
  #afterCommit(error: unknown): StorageError {
    this.#rollback();
    if (this.#failed === undefined && isFull(error)) return notApplied(error);
    const cause = (error as Error).message;
    this.#failed ??= new StorageError(
      "unavailable",
      `an earlier commit failed (${cause}); nothing is written until the storage is opened again`,
    );
    return new StorageError("unknown", `the commit failed (${cause})`);
  }

  #rollback(): void {
    try {
      this.#store.rollback();
    } catch (error) {
      this.#failed ??= new StorageError(
        "unavailable",
        `a transaction could not be undone (${(error as Error).message}); nothing is written until the storage is opened again`,
      );
    }
  }

  /** A read: what goes wrong is its answer alone. */
  #look(request: Request): void {
    const before = this.#answers.sizeBytes;
    try {
      this.#answer(request.number, request.run);
    } catch (error) {
      this.#answers.rewind(before);
      const message = `the table could not be read (${(error as Error).message})`;
      this.#refuse([request], new StorageError("unavailable", message));
    }
  }

  /** Runs one request; what the storage refuses is its answer. Throws anything else. */
  #answer(number: number, run: Run): void {
    const answers = this.#answers;
    answers.varint(number);
    const start = answers.sizeBytes;
    answers.byte(STATUS.ok);
    try {
      run(answers);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      answers.rewind(start);
      writeError(answers, error);
    }
  }

  #refuse(requests: readonly Request[], error: StorageError): void {
    for (const { number } of requests) {
      this.#answers.varint(number);
      writeError(this.#answers, error);
    }
  }
}

function isFull(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === 13;
}

function notApplied(error: unknown): StorageError {
  const { message } = error as Error;
  return isFull(error)
    ? new StorageError("full", `no space is left for the table (${message})`)
    : new StorageError("unavailable", `the table did not take it (${message})`);
}
