/** Errors of bodies, and undoing their Content-Encoding within a limit. */
import {
  createGunzip,
  createZstdDecompress,
  type Gunzip,
  gunzip,
  gunzipSync,
  type ZstdDecompress,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { concatBytes } from "../base/bytes.ts";
import { BrokerlessError } from "../base/errors.ts";
import { formatCount } from "./limits.ts";
import { takeChunk } from "./take-chunk.ts";

export type ContentEncoding = "identity" | "gzip" | "zstd";

export function tooLarge(sizeBytes: number | undefined, limitBytes: number): BrokerlessError {
  const what = sizeBytes === undefined ? "the body is larger" : `the body is ${formatCount(sizeBytes)} bytes, larger`;
  return new BrokerlessError("request_too_large", `${what} than the limit of ${formatCount(limitBytes)} bytes`, {
    details: { limitBytes },
  });
}

export function cutShort(receivedBytes: number, announcedBytes: number | undefined): BrokerlessError {
  const of = announcedBytes === undefined ? "" : ` of ${formatCount(announcedBytes)}`;
  return new BrokerlessError("invalid_request", `the body was cut short after ${formatCount(receivedBytes)}${of} bytes`);
}

export function tooSlow(receivedBytes: number, waitedMs: number): BrokerlessError {
  return new BrokerlessError(
    "timeout",
    `the body did not come within ${formatCount(waitedMs)} ms; ${formatCount(receivedBytes)} bytes had come`,
  );
}

/** Reads a Content-Encoding header. Throws `unsupported_media_type`. */
export function contentEncoding(header: string | undefined): ContentEncoding {
  if (header === undefined) return "identity";
  const name = header.trim().toLowerCase();
  if (name === "" || name === "identity") return "identity";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "zstd") return "zstd";
  throw new BrokerlessError("unsupported_media_type", `Content-Encoding is ${JSON.stringify(header)}; send gzip, zstd or none`, {
    field: "Content-Encoding",
  });
}

/** Below this, decompressing here is cheaper than on another thread. */
const SYNC_BYTES = 16 * 1024;

/** With `info: true` zlib answers its engine too, which knows how much of the input it took. */
interface Decompressed {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** The body as the client meant it. Throws `request_too_large` for a bomb, `invalid_request` for what is not that encoding. */
export async function decompressBody(bytes: Uint8Array, encoding: ContentEncoding, limitBytes: number): Promise<Uint8Array> {
  if (encoding === "identity") return bytes;
  const out: Uint8Array[] = [];
  let room = limitBytes;
  let rest = bytes;
  try {
    // Node decompresses one zstd frame at a time and leaves the next ones; gzip members it takes all at once.
    do {
      const one = await decompressOnce(rest, encoding, room);
      if (one.engine.bytesWritten === 0) break;
      rest = rest.subarray(one.engine.bytesWritten);
      room -= one.buffer.byteLength;
      out.push(one.buffer);
      if (room < 0) throw tooLarge(undefined, limitBytes);
    } while (rest.byteLength > 0);
  } catch (error) {
    throw decompressError(error, encoding, limitBytes);
  }
  return concatBytes(out);
}

async function decompressOnce(bytes: Uint8Array, encoding: "gzip" | "zstd", limitBytes: number): Promise<Decompressed> {
  const options = { maxOutputLength: Math.max(1, limitBytes), info: true };
  if (bytes.byteLength <= SYNC_BYTES) {
    return (encoding === "gzip" ? gunzipSync(bytes, options) : zstdDecompressSync(bytes, options)) as unknown as Decompressed;
  }
  return await new Promise((resolve, reject) => {
    const done = (error: Error | null, result: unknown): void =>
      error === null ? resolve(result as Decompressed) : reject(error);
    if (encoding === "gzip") gunzip(bytes, options, done);
    else zstdDecompress(bytes, options, done);
  });
}

/** The pieces of a body as the client meant them, at the speed of the reader, who bounds what is kept. */
export async function* decompressPieces(pieces: AsyncIterable<Uint8Array>, encoding: ContentEncoding): AsyncIterable<Uint8Array> {
  if (encoding === "identity") {
    yield* pieces;
    return;
  }
  const source = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array | undefined;
  try {
    do {
      const engine = encoding === "gzip" ? createGunzip() : createZstdDecompress();
      const feeding = feed(engine, source, rest);
      feeding.catch((error: Error) => engine.destroy(error));
      try {
        for await (const piece of engine) yield piece as Uint8Array;
      } finally {
        engine.destroy();
      }
      rest = await feeding;
    } while (rest !== undefined);
  } catch (error) {
    throw decompressError(error, encoding, 0);
  } finally {
    await source.return?.();
  }
}

/** Writes pieces until there are no more (undefined), or until a frame ended in the middle of one (what is left of it). */
async function feed(
  engine: Gunzip | ZstdDecompress,
  source: AsyncIterator<Uint8Array>,
  first: Uint8Array | undefined,
): Promise<Uint8Array | undefined> {
  let piece = first;
  for (;;) {
    if (piece === undefined) {
      const next = await source.next();
      if (next.done === true) {
        engine.end();
        return undefined;
      }
      piece = next.value;
    }
    const before = engine.bytesWritten;
    const chunk = piece;
    await takeChunk(engine, chunk);
    const taken = engine.bytesWritten - before;
    if (taken < chunk.byteLength) return chunk.subarray(taken);
    piece = undefined;
  }
}

function decompressError(error: unknown, encoding: ContentEncoding, limitBytes: number): BrokerlessError {
  if (error instanceof BrokerlessError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ERR_BUFFER_TOO_LARGE") return tooLarge(undefined, limitBytes);
  return new BrokerlessError("invalid_request", `the body is not ${encoding}: ${(error as Error).message}`, {
    field: "Content-Encoding",
    cause: error,
  });
}
