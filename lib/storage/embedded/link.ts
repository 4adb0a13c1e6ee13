/** The storage's side of its worker: requests of one turn of the event loop go in one message, answers find their callers. */
import { once } from "node:events";
import { getCompileCacheDir } from "node:module";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type Clock, type Metrics, StorageError } from "../../ports/index.ts";
import { ByteReader, ByteWriter } from "./codec.ts";
import { isWriting, NOTE, readError, STATUS, type Started, type WorkerOptions } from "./protocol.ts";

interface Call {
  readonly kind: number;
  readonly answered: (from: ByteReader) => void;
  readonly failed: (error: StorageError) => void;
}

export class Link {
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #calls = new Map<number, Call>();
  readonly #out = new ByteWriter(16 * 1024);
  #number = 0;
  #gathering = false;
  /** Why nothing can be asked any more. */
  #gone: StorageError | undefined;
  #idle: (() => void) | undefined;

  private constructor(worker: Worker, clock: Clock, metrics: Metrics) {
    this.#worker = worker;
    this.#clock = clock;
    this.#metrics = metrics;
    worker.on("message", (answers: Uint8Array) => this.#answer(answers));
    worker.on("error", (error) => this.#fail(`its worker failed: ${error.message}`));
    worker.on("exit", () => this.#fail("its worker has ended"));
  }

  /** Starts a worker and waits until it has opened the database, or says why not. */
  static async start(
    options: WorkerOptions,
    clock: Clock,
    metrics: Metrics,
  ): Promise<{ readonly started: Started; readonly link: Link }> {
    // Beside this file: TypeScript in the sources, JavaScript where it was compiled.
    const name = `./worker/worker${extname(new URL(import.meta.url).pathname)}`;
    const cache = getCompileCacheDir();
    const worker = new Worker(new URL(name, import.meta.url), {
      workerData: options,
      execArgv: ["--no-warnings"],
      // A cache of compiled code that this process has on is not the worker's by itself.
      env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    const [started] = (await once(worker, "message")) as [Started];
    return { started, link: new Link(worker, clock, metrics) };
  }

  /**
   * Asks the worker. `write` puts the request's own part into the message, at once; `read` takes the answer. Rejects with
   * the `StorageError` that the worker answers.
   */
  call<T>(kind: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => T): Promise<T> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      const start = this.#out.sizeBytes;
      if (start === 0) this.#out.double(this.#clock.nowMs());
      const number = ++this.#number;
      this.#out.varint(number);
      this.#out.byte(kind);
      try {
        write(this.#out);
      } catch (error) {
        this.#out.rewind(start);
        reject(error);
        return;
      }
      this.#calls.set(number, { kind, answered: (from) => resolve(read(from)), failed: reject });
      if (this.#gathering) return;
      this.#gathering = true;
      queueMicrotask(() => this.#send());
    });
  }

  /** Resolves when every call was answered. */
  async drained(): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Waits for what is under way, then closes the database and ends the worker. */
  async close(): Promise<void> {
    await this.drained();
    if (this.#gone !== undefined) return;
    this.#gone = new StorageError("unavailable", "the storage is closed");
    const ended = once(this.#worker, "exit");
    this.#worker.postMessage("close");
    await ended;
  }

  #send(): void {
    this.#gathering = false;
    if (this.#out.sizeBytes === 0) return;
    const message = this.#out.take();
    if (this.#gone === undefined) this.#worker.postMessage(message, [message.buffer]);
  }

  #answer(answers: Uint8Array): void {
    const from = new ByteReader(answers);
    while (!from.atEnd) {
      const number = from.varint();
      if (number === NOTE) {
        this.#metrics.observe(from.text(), from.double());
        continue;
      }
      const call = this.#calls.get(number) as Call;
      this.#calls.delete(number);
      if (from.byte() === STATUS.ok) call.answered(from);
      else call.failed(readError(from));
    }
    if (this.#calls.size === 0) this.#idle?.();
  }

  #fail(why: string): void {
    this.#gone ??= new StorageError("unavailable", `the storage cannot be reached: ${why}`);
    for (const { kind, failed } of this.#calls.values()) {
      failed(isWriting(kind) ? new StorageError("unknown", `no answer of the storage: ${why}`) : this.#gone);
    }
    this.#calls.clear();
    this.#idle?.();
  }
}
