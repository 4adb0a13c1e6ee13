/** Calls over `fetch`'s Request and Response: what Lambda adapters and tests have. */

import { cutShort, tooLarge } from "./body.ts";
import { type Call, plainPath, type Reply } from "./call.ts";

export class FetchCall implements Call {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly contentLength: number | undefined;
  readonly #request: Request;

  constructor(request: Request) {
    const { pathname, search } = new URL(request.url);
    const length = request.headers.get("content-length");
    this.method = request.method;
    this.path = plainPath(pathname);
    this.search = search.slice(1);
    this.contentLength = length !== null ? Number(length) : request.body === null ? 0 : undefined;
    this.#request = request;
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  headerNames(): readonly string[] {
    return [...this.#request.headers.keys()];
  }

  get origin(): string {
    return new URL(this.#request.url).origin;
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    if (this.contentLength !== undefined && this.contentLength > limitBytes) throw tooLarge(this.contentLength, limitBytes);
    const pieces: Uint8Array[] = [];
    let received = 0;
    for await (const piece of this.pieces()) {
      received += piece.byteLength;
      if (received > limitBytes) throw tooLarge(undefined, limitBytes);
      pieces.push(piece);
    }
    return Buffer.concat(pieces, received);
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    if (this.#request.body === null) return;
    let received = 0;
    try {
      for await (const piece of this.#request.body as unknown as AsyncIterable<Uint8Array>) {
        received += piece.byteLength;
        yield piece;
      }
    } catch {
      throw cutShort(received, this.contentLength);
    }
  }

  signal(): AbortSignal {
    return this.#request.signal;
  }
}

export function toResponse(reply: Reply): Response {
  const { body, status, headers } = reply;
  if (body === null || typeof body === "string") return new Response(body, { status, headers });
  if (body instanceof Uint8Array) return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  const pieces = body[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await pieces.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, headers });
}
