/** From a reply to a stream that Lambda sends on as it is written. */
import type { Reply } from "../call.ts";
import { abandon, piecesOf } from "./reply.ts";

export interface StreamHead {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What we use of Node's Writable. */
export interface ResponseSink {
  write(piece: Uint8Array | string): boolean;
  end(): void;
  once(event: "drain" | "close" | "error" | "finish", listener: (error?: Error) => void): unknown;
  off(event: "drain" | "close" | "error" | "finish", listener: (error?: Error) => void): unknown;
}

/**
 * Sends a reply at the speed of its reader and resolves with the bytes of its body when all is handed over. `gone` is
 * called when the reader has left. Throws what the source throws: Lambda then cuts the stream, and the reader sees it.
 */
export async function sendStream(
  reply: Reply,
  method: string,
  open: (head: StreamHead) => ResponseSink,
  gone: () => void,
): Promise<number> {
  const sink = open({ statusCode: reply.status, headers: reply.headers });
  let open_ = true;
  const leave = (): void => {
    if (!open_) return;
    open_ = false;
    gone();
  };
  sink.once("close", leave);
  sink.once("error", leave);
  let sizeBytes = 0;
  // Lambda sends status and headers with the first write; without one they are lost.
  if (reply.body === null || method === "HEAD") {
    sink.write("");
    await abandon(reply.body);
  } else {
    for await (const piece of piecesOf(reply.body)) {
      if (!open_) break;
      sizeBytes += piece.byteLength;
      if (!sink.write(piece)) await drained(sink);
    }
  }
  if (open_) await ended(sink);
  return sizeBytes;
}

function drained(sink: ResponseSink): Promise<void> {
  return firstOf(sink, ["drain", "close", "error"]);
}

function ended(sink: ResponseSink): Promise<void> {
  const over = firstOf(sink, ["finish", "close", "error"]);
  sink.end();
  return over;
}

function firstOf(sink: ResponseSink, events: readonly ("drain" | "close" | "error" | "finish")[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) sink.off(event, done);
      resolve();
    };
    for (const event of events) sink.once(event, done);
  });
}
