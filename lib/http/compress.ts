/** Replies in the encoding that the client prefers, where that pays. */
import { constants, createGzip, createZstdCompress, gzip, zstdCompress } from "node:zlib";
import type { Call, Reply } from "./call.ts";
import { chooseEncoding } from "./negotiate.ts";
import { takeChunk } from "./take-chunk.ts";

/** Smaller bodies are not worth it. */
const LEAST_BYTES = 1024;

// The fastest levels: the network is rarely slower than they are.
const GZIP = { level: 1 };
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** The reply as it is to be sent. */
export async function compressReply(call: Call, reply: Reply): Promise<Reply> {
  const { body } = reply;
  if (!reply.compressible || body === null || call.method === "HEAD") return reply;
  if ((typeof body === "string" || body instanceof Uint8Array) && body.length < LEAST_BYTES) return reply;
  addVary(reply.headers, "accept-encoding");
  const encoding = chooseEncoding(call.header("accept-encoding"));
  if (encoding === undefined) return reply;
  const headers = { ...reply.headers, "content-encoding": encoding };
  if (typeof body === "string" || body instanceof Uint8Array)
    return { ...reply, headers, body: await compressed(body, encoding) };
  return { ...reply, headers, body: compressPieces(body, encoding) };
}

function compressed(body: string | Uint8Array, encoding: "gzip" | "zstd"): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: Uint8Array): void => (error === null ? resolve(result) : reject(error));
    if (encoding === "gzip") gzip(body, GZIP, done);
    else zstdCompress(body, ZSTD, done);
  });
}

async function* compressPieces(pieces: AsyncIterable<Uint8Array>, encoding: "gzip" | "zstd"): AsyncGenerator<Uint8Array> {
  const engine = encoding === "gzip" ? createGzip(GZIP) : createZstdCompress(ZSTD);
  const source = pieces[Symbol.asyncIterator]();
  const feed = async (): Promise<void> => {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      await takeChunk(engine, next.value);
      if (engine.destroyed) return;
    }
    engine.end();
  };
  // A failure of the source shows as a failure of the engine, below.
  feed().catch((error: Error) => engine.destroy(error));
  try {
    for await (const piece of engine) yield piece as Uint8Array;
  } finally {
    engine.destroy();
    await source.return?.();
  }
}

export function addVary(headers: Record<string, string>, name: string): void {
  const vary = headers["vary"];
  if (vary === undefined) headers["vary"] = name;
  else if (!vary.split(", ").includes(name)) headers["vary"] = `${vary}, ${name}`;
}
