/** Writing to stdout and stderr at the speed of whoever reads, and noticing when nobody does any more. */
import { OutputClosed } from "../exit-codes.ts";
import type { OutputStream } from "../io.ts";

export class Output {
  readonly isTty: boolean;
  readonly #stream: OutputStream;
  #error: NodeJS.ErrnoException | undefined;

  constructor(stream: OutputStream) {
    this.#stream = stream;
    this.isTty = stream.isTTY === true;
    stream.on("error", (error) => {
      this.#error = error;
    });
  }

  /** Resolves when it was taken. Throws `OutputClosed` when there is no reader any more. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#error !== undefined) throw this.#closed(this.#error);
    if (bytes.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(this.#closed(error));
      });
    });
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  json(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value)}\n`);
  }

  /** For messages that are not worth failing over: on a closed stderr nobody wants them. */
  tell(text: string): void {
    this.#stream.write(text, () => {});
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  #closed(error: NodeJS.ErrnoException): Error {
    return error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED" ? new OutputClosed() : error;
  }
}
