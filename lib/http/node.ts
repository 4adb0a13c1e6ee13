/** Calls over Node's HTTP server, read and answered without a layer between. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { cutShort, tooLarge, tooSlow } from "./body.ts";
import { type Call, plainPath, type Reply } from "./call.ts";
import type { Limits } from "./limits.ts";

export class NodeCall implements Call {
  readonly base = "";
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly contentLength: number | undefined;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #limits: Limits;
  #controller: AbortController | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, limits: Limits) {
    const url = originForm(incoming.url as string);
    const query = url.indexOf("?");
    this.method = incoming.method as string;
    this.path = plainPath(query < 0 ? url : url.slice(0, query));
    this.search = query < 0 ? "" : url.slice(query + 1);
    const length = incoming.headers["content-length"];
    // Neither a length nor chunks: no body.
    this.contentLength =
      length !== undefined ? Number(length) : incoming.headers["transfer-encoding"] === undefined ? 0 : undefined;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#limits = limits;
  }

  header(name: string): string | undefined {
    return this.#incoming.headers[name] as string | undefined;
  }

  headerNames(): readonly string[] {
    return Object.keys(this.#incoming.headers);
  }

  get origin(): string {
    return `http://${this.#incoming.headers.host ?? "localhost"}`;
  }

  body(limitBytes: number): Promise<Uint8Array> {
    const announced = this.contentLength;
    if (announced !== undefined && announced > limitBytes) return Promise.reject(tooLarge(announced, limitBytes));
    const incoming = this.#incoming;
    const { bodyMs } = this.#limits;
    return new Promise((resolve, reject) => {
      let first: Uint8Array | undefined;
      let more: Uint8Array[] | undefined;
      let received = 0;
      const settle = (): void => {
        clearTimeout(timer);
        incoming.off("data", onData);
        incoming.off("end", onEnd);
        incoming.off("close", onClose);
      };
      const onData = (piece: Uint8Array): void => {
        received += piece.byteLength;
        if (received > limitBytes) {
          settle();
          incoming.pause();
          reject(tooLarge(undefined, limitBytes));
        } else if (first === undefined) first = piece;
        else if (more === undefined) more = [first, piece];
        else more.push(piece);
      };
      const onEnd = (): void => {
        settle();
        resolve(more !== undefined ? Buffer.concat(more, received) : (first ?? EMPTY));
      };
      const onClose = (): void => {
        settle();
        reject(cutShort(received, announced));
      };
      const timer = setTimeout(() => {
        settle();
        incoming.pause();
        reject(tooSlow(received, bodyMs));
      }, bodyMs);
      incoming.on("data", onData);
      incoming.on("end", onEnd);
      incoming.on("close", onClose);
    });
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    const incoming = this.#incoming;
    const { bodyIdleMs } = this.#limits;
    let received = 0;
    for (;;) {
      const piece = incoming.read() as Uint8Array | null;
      if (piece !== null) {
        received += piece.byteLength;
        yield piece;
        continue;
      }
      if (incoming.readableEnded) return;
      if (incoming.destroyed) throw cutShort(received, this.contentLength);
      const event = await nextEvent(incoming, bodyIdleMs);
      if (event === "idle") throw tooSlow(received, bodyIdleMs);
    }
  }

  signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#outgoing.destroyed) controller.abort();
      else this.#outgoing.once("close", () => controller.abort());
    }
    return this.#controller.signal;
  }
}

const EMPTY = new Uint8Array(0);

/** A request's target without scheme and host, which proxies may send with it (RFC 9112, section 3.2.2). */
function originForm(target: string): string {
  return target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*(?=[/?]|$)/i, "").replace(/^(?!\/)/, "/");
}

/** Resolves when there is something to read, when the message ended or broke, or after so long. */
function nextEvent(incoming: IncomingMessage, idleMs: number): Promise<"ready" | "idle"> {
  return new Promise((resolve) => {
    const done = (event: "ready" | "idle"): void => {
      clearTimeout(timer);
      incoming.off("readable", onReady);
      incoming.off("end", onReady);
      incoming.off("close", onReady);
      resolve(event);
    };
    const onReady = (): void => done("ready");
    const timer = setTimeout(() => done("idle"), idleMs);
    incoming.on("readable", onReady);
    incoming.on("end", onReady);
    incoming.on("close", onReady);
  });
}

/** How long a client that is still sending may read its refusal before the connection is cut. */
const LINGER_MS = 1000;

/** Sends a reply. Resolves when it is handed over whole, or when the client has gone; never rejects. */
export async function sendReply(reply: Reply, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { headers, body } = reply;
  if (outgoing.destroyed) return;
  // What is not read to its end cannot be followed by another request.
  const unread = reply.close === true && !incoming.complete;
  if (reply.close === true) headers["connection"] = "close";
  if (body === null || typeof body === "string" || body instanceof Uint8Array) {
    if (reply.status !== 204 && reply.status !== 304) {
      headers["content-length"] = String(
        body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.byteLength,
      );
    }
    outgoing.writeHead(reply.status, headers);
    if (!unread) {
      if (body === null || incoming.method === "HEAD") outgoing.end();
      else outgoing.end(body);
      return;
    }
    if (body !== null) outgoing.write(body);
    await lingering(incoming, outgoing);
    return;
  }
  outgoing.writeHead(reply.status, headers);
  if (incoming.method === "HEAD") {
    outgoing.end();
    return;
  }
  await sendPieces(body, outgoing);
  if (unread) await lingering(incoming, outgoing);
}

/** Ends only after the client has stopped sending or a while has passed: a reset could take the reply from it. */
async function lingering(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    incoming.once("end", done);
    incoming.once("close", done);
    incoming.resume();
  });
  if (!outgoing.destroyed) outgoing.end();
}

/** Writes pieces at the speed of the client. When the source fails the connection is cut, so that the client sees it. */
async function sendPieces(pieces: AsyncIterable<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  outgoing.flushHeaders();
  try {
    for await (const piece of pieces) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(piece)) await drained(outgoing);
    }
    if (!outgoing.destroyed) outgoing.end();
  } catch {
    outgoing.destroy();
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    if (outgoing.destroyed) return resolve();
    outgoing.on("drain", done);
    outgoing.on("close", done);
  });
}
