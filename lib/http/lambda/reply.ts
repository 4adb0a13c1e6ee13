/** From a response to what a Lambda answers in one piece. */
import { BrokerlessError } from "../../base/errors.ts";
import { errorReply } from "../errors.ts";
import { toResponse } from "../fetch.ts";
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
  readonly reply: LambdaReply;
  /** Of the body, before base64. */
  readonly sizeBytes: number;
}

/**
 * Reads a response whole. One that does not fit, or has no end, is answered with an error that names the way out:
 * `streamUrl`, where there is one.
 */
export async function toLambdaReply(response: Response, method: string, streamUrl: string | undefined): Promise<Answered> {
  if (isEventStream(response)) {
    await response.body?.cancel();
    return await toLambdaReply(toResponse(errorReply(noEvents(streamUrl))), method, streamUrl);
  }
  const bytes = await wholeBody(response);
  if (bytes === undefined) {
    const error = replyTooLarge(method, response.status, streamUrl);
    return await toLambdaReply(toResponse(errorReply(error)), method, streamUrl);
  }
  const headers = Object.fromEntries(response.headers);
  return {
    // Base64 whatever it is: text would grow by its escapes, and by how much cannot be said before.
    reply: { statusCode: response.status, headers, body: bytes.toString("base64"), isBase64Encoded: bytes.byteLength > 0 },
    sizeBytes: bytes.byteLength,
  };
}

function isEventStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** Undefined when it is larger than an answer can be. */
async function wholeBody(response: Response): Promise<Buffer | undefined> {
  if (response.body === null) return Buffer.alloc(0);
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  // Leaving the loop cancels the rest.
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > REPLY_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, sizeBytes);
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
