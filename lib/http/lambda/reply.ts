/** From a reply to what a Lambda answers in one piece. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Reply, ReplyBody } from "../call.ts";
import { errorReply } from "../errors.ts";
import { formatCount } from "../limits.ts";
import { CARRIED_BYTES } from "./event.ts";

/** The answer of both payload formats. */
export interface LambdaReply {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** The largest body of one answer: base64 makes three bytes four. */
export const REPLY_BYTES: number = Math.floor(CARRIED_BYTES / 4) * 3;

export interface Answered {
  readonly answer: LambdaReply;
  /** Of the body, before base64. */
  readonly sizeBytes: number;
}

/**
 * Reads a reply whole. One that does not fit, or has no end, is answered with an error that names the way out:
 * `streamUrl`, where there is one.
 */
export async function toLambdaReply(reply: Reply, method: string, streamUrl: string | undefined): Promise<Answered> {
  if (isEventStream(reply)) {
    await abandon(reply.body);
    return await toLambdaReply(errorReply(noEvents(streamUrl)), method, streamUrl);
  }
  const bytes = await wholeBody(reply.body, method);
  if (bytes === undefined)
    return await toLambdaReply(errorReply(replyTooLarge(method, reply.status, streamUrl)), method, streamUrl);
  return {
    // Base64 whatever it is: text would grow by its escapes, and by how much cannot be said before.
    answer: {
      statusCode: reply.status,
      headers: reply.headers,
      body: bytes.toString("base64"),
      isBase64Encoded: bytes.byteLength > 0,
    },
    sizeBytes: bytes.byteLength,
  };
}

function isEventStream({ headers }: Reply): boolean {
  return headers["content-type"]?.startsWith("text/event-stream") === true;
}

/** Undefined when it is larger than an answer can be. */
async function wholeBody(body: ReplyBody, method: string): Promise<Buffer | undefined> {
  if (body === null || method === "HEAD") {
    await abandon(body);
    return Buffer.alloc(0);
  }
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  // Leaving the loop ends the source.
  for await (const piece of piecesOf(body)) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > REPLY_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, sizeBytes);
}

/** The body of a reply as what it is sent as. */
export function piecesOf(body: Exclude<ReplyBody, null>): AsyncIterable<Uint8Array> | readonly Uint8Array[] {
  if (typeof body === "string") return [Buffer.from(body)];
  return body instanceof Uint8Array ? [body] : body;
}

/** Ends a source that nobody will read. */
export async function abandon(body: ReplyBody): Promise<void> {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return;
  await body[Symbol.asyncIterator]().return?.();
}

function streamingUrl(streamUrl: string | undefined): string {
  return streamUrl === undefined ? "a deployment's streaming URL" : `the streaming URL ${streamUrl}`;
}

function noEvents(streamUrl: string | undefined): BrokerlessError {
  return new BrokerlessError(
    "not_acceptable",
    `text/event-stream has no end and API Gateway answers in one piece: read it from ${streamingUrl(streamUrl)}`,
    { field: "Accept" },
  );
}

function replyTooLarge(method: string, status: number, streamUrl: string | undefined): BrokerlessError {
  const more = `the answer is more than the ${formatCount(REPLY_BYTES)} bytes that API Gateway and Lambda carry`;
  if (method === "GET") {
    return new BrokerlessError(
      "request_too_large",
      `${more}: ask for fewer with max_bytes, or read from ${streamingUrl(streamUrl)}`,
      {
        details: { limitBytes: REPLY_BYTES },
      },
    );
  }
  return new BrokerlessError("request_too_large", `${more}; the request itself was done: send smaller ones`, {
    outcome: status < 300 ? "applied" : "unknown",
    details: { limitBytes: REPLY_BYTES },
  });
}
