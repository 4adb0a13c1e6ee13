/**
 * LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) as Kafka has them in batches of magic 2:
 * one frame, independent blocks. Written with blocks of 64 KB and no checksums, as Kafka's Java client does.
 */
import { corruptInput, overLimit } from "./errors.ts";
import { compressBlock, decompressBlock, maxBlockBytes, measureBlock, newMatchTable } from "./lz4-block.ts";
import type { Codec } from "./types.ts";
import { xxh32 } from "./xxh32.ts";

const MAGIC = [0x04, 0x22, 0x4d, 0x18];
/** Magic; version 1 and independent blocks; of 64 KB at most; the checksum of these two. */
const HEADER = [...MAGIC, 0x60, 0x40, 0x82];
const BLOCK_BYTES = 65_536;
/** Set in a block's size when the block is stored as it is. */
const STORED = 0x8000_0000;

const DICTIONARY_BIT = 1;
const CONTENT_CHECKSUM_BIT = 4;
const CONTENT_SIZE_BIT = 8;
const BLOCK_CHECKSUM_BIT = 16;
const INDEPENDENT_BIT = 32;

export const lz4: Codec = { compress, decompress };

function compress(bytes: Uint8Array): Uint8Array {
  const size = bytes.byteLength;
  const blocks = Math.ceil(size / BLOCK_BYTES);
  // A block takes at most its own size and four bytes; only the one at hand may be larger, until it is stored instead.
  const slack = maxBlockBytes(BLOCK_BYTES) - BLOCK_BYTES;
  const out = new Uint8Array(HEADER.length + size + 4 * blocks + slack + 4);
  out.set(HEADER, 0);
  const table = newMatchTable();
  let at = HEADER.length;
  for (let from = 0; from < size; from += BLOCK_BYTES) {
    const to = Math.min(from + BLOCK_BYTES, size);
    let end = compressBlock(bytes, from, to, out, at + 4, table);
    if (end - at - 4 < to - from) {
      writeWord(out, at, end - at - 4);
    } else {
      writeWord(out, at, STORED | (to - from));
      out.set(bytes.subarray(from, to), at + 4);
      end = at + 4 + to - from;
    }
    at = end;
  }
  writeWord(out, at, 0);
  return out.subarray(0, at + 4);
}

interface Block {
  readonly from: number;
  readonly to: number;
  readonly stored: boolean;
}

interface Frame {
  readonly blocks: readonly Block[];
  /** Decompressed. */
  readonly sizeBytes: number;
  readonly contentChecksum: number | undefined;
}

/** Measures first: nothing is allocated for a frame that is cut or too large. */
function decompress(bytes: Uint8Array, limitBytes: number): Uint8Array {
  const frame = readFrame(bytes, limitBytes);
  const out = new Uint8Array(frame.sizeBytes);
  let at = 0;
  for (const { from, to, stored } of frame.blocks) {
    if (stored) {
      out.set(bytes.subarray(from, to), at);
      at += to - from;
    } else {
      at = decompressBlock(bytes, from, to, out, at, at);
    }
  }
  if (frame.contentChecksum !== undefined && frame.contentChecksum !== xxh32(out)) {
    throw corruptInput("the content checksum of an lz4 frame is wrong");
  }
  return out;
}

function readFrame(bytes: Uint8Array, limitBytes: number): Frame {
  if (bytes.byteLength < 7 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw corruptInput("this is not an lz4 frame");
  const flags = bytes[4]!;
  if (flags >>> 6 !== 1) throw corruptInput(`lz4 frame version ${flags >>> 6} is not known; it must be 1`);
  if (flags & DICTIONARY_BIT) throw corruptInput("the lz4 frame needs a dictionary; Kafka has none");
  if (!(flags & INDEPENDENT_BIT)) throw corruptInput("the lz4 frame has linked blocks; Kafka takes independent ones alone");
  const sizeId = (bytes[5]! >>> 4) & 7;
  if (sizeId < 4) throw corruptInput(`lz4 block size id ${sizeId} is not known; 4 to 7 are`);
  const maxBlock = 1 << (8 + 2 * sizeId);
  let at = flags & CONTENT_SIZE_BIT ? 14 : 6;
  if (at >= bytes.byteLength) throw corruptInput("an lz4 frame is cut");
  if (((xxh32(bytes, 4, at) >>> 8) & 255) !== bytes[at]) throw corruptInput("the header checksum of an lz4 frame is wrong");
  at++;

  const blocks: Block[] = [];
  let sizeBytes = 0;
  for (;;) {
    const field = readWord(bytes, at);
    at += 4;
    if (field === 0) break;
    const stored = field >= STORED;
    const from = at;
    const to = at + (stored ? field - STORED : field);
    if (to > bytes.byteLength) throw corruptInput("an lz4 frame is cut");
    const size = stored ? to - from : measureBlock(bytes, from, to);
    if (size > maxBlock) throw corruptInput(`an lz4 block has ${size} bytes; its frame allows ${maxBlock}`);
    sizeBytes += size;
    if (sizeBytes > limitBytes) throw overLimit(limitBytes);
    blocks.push({ from, to, stored });
    at = to;
    if (flags & BLOCK_CHECKSUM_BIT) {
      if (readWord(bytes, at) !== xxh32(bytes, from, to)) throw corruptInput("the checksum of an lz4 block is wrong");
      at += 4;
    }
  }
  let contentChecksum: number | undefined;
  if (flags & CONTENT_CHECKSUM_BIT) {
    contentChecksum = readWord(bytes, at);
    at += 4;
  }
  if (at !== bytes.byteLength) throw corruptInput(`${bytes.byteLength - at} bytes follow an lz4 frame`);
  if (flags & CONTENT_SIZE_BIT && readWord(bytes, 6) + readWord(bytes, 10) * 2 ** 32 !== sizeBytes) {
    throw corruptInput("the content size of an lz4 frame is wrong");
  }
  return { blocks, sizeBytes, contentChecksum };
}

function readWord(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.byteLength) throw corruptInput("an lz4 frame is cut");
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
