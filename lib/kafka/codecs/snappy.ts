/**
 * Snappy as Kafka's clients write it: Java frames blocks as snappy-java (xerial) does, others write one bare block.
 * Both are read; the frame is written. The frame: 8 bytes of magic, version and lowest compatible version (4 bytes
 * each, big-endian, 1), then blocks, each after its size (4 bytes).
 */
import snappyjs from "snappyjs";
import { corruptInput, overLimit } from "./errors.ts";
import { decompressTags, readLength, type SnappyLength } from "./snappy-block.ts";
import type { Codec } from "./types.ts";

const HEADER = new Uint8Array([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const MAGIC_BYTES = 8;
/** What snappy-java puts into a block, before compression. */
const BLOCK_BYTES = 32_768;

export const snappy: Codec = { compress, decompress };

function compress(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [];
  let size = HEADER.byteLength;
  for (let from = 0; from < bytes.byteLength; from += BLOCK_BYTES) {
    const block = snappyjs.compress(bytes.subarray(from, from + BLOCK_BYTES));
    blocks.push(block);
    size += 4 + block.byteLength;
  }
  const out = new Uint8Array(size);
  out.set(HEADER);
  let at = HEADER.byteLength;
  for (const block of blocks) {
    new DataView(out.buffer).setInt32(at, block.byteLength);
    out.set(block, at + 4);
    at += 4 + block.byteLength;
  }
  return out;
}

interface Block extends SnappyLength {
  readonly to: number;
}

function decompress(bytes: Uint8Array, limitBytes: number): Uint8Array {
  const blocks: Block[] = [];
  let sizeBytes = 0;
  const add = (from: number, to: number) => {
    const { sizeBytes: blockBytes, tagsAt } = readLength(bytes, from, to);
    sizeBytes += blockBytes;
    if (sizeBytes > limitBytes) throw overLimit(limitBytes);
    blocks.push({ sizeBytes: blockBytes, tagsAt, to });
  };
  if (isFramed(bytes)) framedBlocks(bytes, add);
  else add(0, bytes.byteLength);

  const out = new Uint8Array(sizeBytes);
  let at = 0;
  for (const block of blocks) {
    const end = at + block.sizeBytes;
    decompressTags(bytes, block.tagsAt, block.to, out, at, end);
    at = end;
  }
  return out;
}

function isFramed(bytes: Uint8Array): boolean {
  for (let i = 0; i < MAGIC_BYTES; i++) if (bytes[i] !== HEADER[i]) return false;
  return true;
}

function framedBlocks(bytes: Uint8Array, add: (from: number, to: number) => void): void {
  const size = bytes.byteLength;
  if (size < HEADER.byteLength) throw corruptInput("the header of a snappy frame is cut");
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  for (let at = HEADER.byteLength; at < size; ) {
    if (size - at < 4) throw corruptInput("a snappy frame is cut");
    const blockBytes = view.getUint32(at);
    at += 4;
    if (blockBytes > size - at) throw corruptInput(`a snappy block says that it has ${blockBytes} bytes; ${size - at} are there`);
    add(at, at + blockBytes);
    at += blockBytes;
  }
}
