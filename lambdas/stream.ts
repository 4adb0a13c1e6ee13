/** The whole HTTP app behind a Function URL: answers are sent as they are made, without an end or a size of their own. */
import { streamHandler } from "../lib/http/lambda/handler.ts";
import type { ResponseSink, StreamHead } from "../lib/http/lambda/stream.ts";
import { openApp } from "./app.ts";

/** Lambda's own global (https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html). */
declare const awslambda: {
  streamifyResponse<Handler>(handler: Handler): Handler;
  readonly HttpResponseStream: { from(stream: ResponseSink, head: StreamHead): ResponseSink };
};

export const handler = awslambda.streamifyResponse(
  streamHandler<ResponseSink>(openApp(), (stream, head) => awslambda.HttpResponseStream.from(stream, head)),
);
