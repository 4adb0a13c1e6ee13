/**
 * Loaded before a function that MiniStack runs: its Node workers have no `awslambda`, by which Lambda streams. A streamed
 * answer is gathered here and handed over whole, in the frame that Lambda uses between function and Function URL: status
 * and headers as JSON, eight zero bytes, the body. Bodies must be UTF-8; nothing arrives before the function has ended.
 */
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

const HttpResponseStream = {
  from(stream, head) {
    stream.write(`${JSON.stringify(head)}${"\0".repeat(8)}`);
    return stream;
  },
};

function streamifyResponse(handler) {
  return async (event, context) => {
    const stream = new PassThrough();
    const [answer] = await Promise.all([text(stream), handler(event, stream, context)]);
    return answer;
  };
}

globalThis.awslambda = { HttpResponseStream, streamifyResponse };
