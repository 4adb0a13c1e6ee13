/** Every codec, for Node: gzip and zstd from `node:zlib`, snappy and lz4 from `portable.ts`. */
import zlib from "node:zlib";
import { corruptInput, overLimit } from "./errors.ts";
import { portableCodecs } from "./portable.ts";
import type { Codec, Codecs } from "./types.ts";

/** Both stop at the limit while they decompress. */
type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;

function zlibCodec(name: string, compress: (bytes: Uint8Array) => Buffer, decompress: Decompress): Codec {
  return {
    compress: (bytes) => plainView(compress(bytes)),
    decompress(bytes, limitBytes) {
      try {
        const out = decompress(bytes, { maxOutputLength: Math.max(limitBytes, 1) });
        if (out.byteLength > limitBytes) throw overLimit(limitBytes);
        return plainView(out);
      } catch (error) {
        if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") throw overLimit(limitBytes);
        throw corruptInput(`${name}: ${error instanceof Error ? error.message : String(error)}`, error);
      }
    },
  };
}

/** The same bytes without Buffer's ways: `subarray` and `slice` of records are then those of Uint8Array. */
function plainView(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

export const nodeCodecs = {
  ...portableCodecs,
  gzip: zlibCodec("gzip", zlib.gzipSync, zlib.gunzipSync),
  zstd: zlibCodec("zstd", zlib.zstdCompressSync, zlib.zstdDecompressSync),
} as const satisfies Codecs;
