/** A network that loses, cuts, delays and repeats, between a client and a real server. The same seed does the same. */
import type { Fetch } from "../../../lib/client/index.ts";

export interface Faults {
  /** Shares of requests, 0 to 1. */
  readonly lostBeforeSending?: number;
  /** No connection comes about: the client knows that nothing was sent. */
  readonly refused?: number;
  /** The server gets the request, the client hears nothing. */
  readonly lostReply?: number;
  /** The client hears at once that the connection broke; the server gets the request later all the same. */
  readonly late?: number;
  readonly lateMs?: number;
  /** Up to so long a request may be under way, so that requests overtake each other. */
  readonly delayMs?: number;
  /** The body of an answer ends with an error somewhere. */
  readonly cutBody?: number;
  /** Which requests; default all. */
  readonly only?: (path: string, method: string) => boolean;
}

export class FlakyNetwork {
  readonly #random: () => number;
  readonly #faults: Faults;
  readonly #late = new Set<Promise<unknown>>();
  #healed = false;
  readonly counts = { refused: 0, lostBeforeSending: 0, lostReply: 0, late: 0, cutBody: 0 };

  constructor(seed: number, faults: Faults) {
    this.#random = mulberry32(seed);
    this.#faults = faults;
  }

  readonly fetch: Fetch = async (input, init) => {
    const { only = () => true, delayMs = 0 } = this.#faults;
    if (this.#healed || !only(new URL(input).pathname, init.method ?? "GET")) return fetch(input, init);
    if (delayMs > 0) await sleep(this.#random() * delayMs);
    if (this.#happens("refused")) throw networkError("ECONNREFUSED");
    if (this.#happens("lostBeforeSending")) throw networkError("ECONNRESET");
    if (this.#happens("late")) {
      // The bytes are the request's own: what the client does with its buffers later must not change them.
      const late = sleep(this.#random() * (this.#faults.lateMs ?? 50))
        .then(() => fetch(input, { ...init, signal: null }))
        .then((response) => response.arrayBuffer())
        .catch(() => {});
      this.#late.add(late);
      void late.finally(() => this.#late.delete(late));
      throw networkError("ECONNRESET");
    }
    const response = await fetch(input, init);
    if (this.#happens("lostReply")) {
      await response.arrayBuffer();
      throw networkError("ECONNRESET");
    }
    return response.ok && this.#happens("cutBody") ? this.#cut(response) : response;
  };

  /** No more faults; resolves when everything that was late has arrived. */
  async heal(): Promise<void> {
    this.#healed = true;
    while (this.#late.size > 0) await Promise.all(this.#late);
  }

  #happens(fault: keyof FlakyNetwork["counts"]): boolean {
    const happens = this.#random() < (this.#faults[fault] ?? 0);
    if (happens) this.counts[fault]++;
    return happens;
  }

  async #cut(response: Response): Promise<Response> {
    const whole = new Uint8Array(await response.arrayBuffer());
    const keep = Math.floor(this.#random() * whole.byteLength);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (sent >= keep) return controller.error(networkError("ECONNRESET"));
        const size = Math.min(keep - sent, 1 + Math.floor(this.#random() * 10_000));
        controller.enqueue(whole.subarray(sent, sent + size));
        sent += size;
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }
}

function networkError(code: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(`connect ${code}`), { code }) });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
