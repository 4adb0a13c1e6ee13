/**
 * Windows of a group: 32 partitions of a topic share an item, as their offsets do. Key `LAG#<group>`,
 * `<topicId>#<block, 5 digits>`, apart from the group's own items, so that the reporter's role can write these and no others.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `w` | the windows, packed |
 *
 * Packed: for each partition of the block that has a window one byte with its place in the block, one with the number of
 * observations, then zig-zag varints: committed at; behind since + 1 (0: none); unread since + 2 (0: none); and of each
 * observation, against the one before it (the first: against 0): offset, timestamp; then observed at against that timestamp,
 * lag + 1 (0: unknown).
 *
 * W1  Only a hint: lost or overwritten, the windows fill again. So it is put without a condition, and two reporters that
 *     run at once do no harm.
 * W2  It expires when the newest commit in it is as old as a group may become (`expireMs`).
 */
import { invariant } from "../../base/assert.ts";
import { sizeOfVarint, writeVarint } from "../../kafka/batch/varint.ts";
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, Put } from "../../ports/index.ts";
import type { Observation, Window } from "../window.ts";

const BLOCK_PARTITIONS = 32;

export function windowsPk(group: string): string {
  return `LAG#${group}`;
}

export function windowsKey(group: string, topicId: string, block: number): Key {
  return { pk: windowsPk(group), sk: `${topicId}#${String(block).padStart(5, "0")}` };
}

/** By partition; those of one block. */
export type Windows = ReadonlyMap<number, Window>;

export function putWindows(key: Key, windows: Windows, expiresAtMs: number): Put {
  return { op: "put", key, item: { v: FORMAT_VERSION, w: packWindows(windows) }, expiresAtMs };
}

export function decodeWindows(item: Item | undefined, block: number): Windows {
  if (item === undefined) return new Map();
  checkFormat(item, "windows of lag");
  return unpackWindows(item["w"] as Uint8Array, block);
}

export function packWindows(windows: Windows): Uint8Array {
  const numbers: number[] = [];
  for (const [partition, { observations, committedAtMs, behindSinceMs, unreadSinceMs }] of windows) {
    numbers.push(partition % BLOCK_PARTITIONS, observations.length);
    numbers.push(committedAtMs, (behindSinceMs ?? -1) + 1, (unreadSinceMs ?? -2) + 2);
    let before = { offset: 0, timestampMs: 0 };
    for (const one of observations) {
      numbers.push(one.offset - before.offset, one.timestampMs - before.timestampMs);
      numbers.push(one.observedAtMs - one.timestampMs, (one.lag ?? -1) + 1);
      before = one;
    }
  }
  const bytes = new Uint8Array(numbers.reduce((size, number) => size + sizeOfVarint(number), 0));
  let at = 0;
  for (const number of numbers) at = writeVarint(bytes, at, number);
  return bytes;
}

function unpackWindows(bytes: Uint8Array, block: number): Windows {
  const windows = new Map<number, Window>();
  let at = 0;
  const next = (): number => {
    let byte = bytes[at++] as number;
    const sign = byte & 1;
    let value = (byte >> 1) & 63;
    for (let scale = 64; byte >= 128; scale *= 128) {
      invariant(at < bytes.byteLength, "packed windows end within a number");
      byte = bytes[at++] as number;
      value += (byte & 127) * scale;
    }
    return sign === 1 ? -value - 1 : value;
  };
  while (at < bytes.byteLength) {
    const partition = block * BLOCK_PARTITIONS + next();
    const count = next();
    const committedAtMs = next();
    const behindSince = next();
    const unreadSince = next();
    const observations: Observation[] = [];
    let offset = 0;
    let timestampMs = 0;
    for (let i = 0; i < count; i++) {
      offset += next();
      timestampMs += next();
      const observedAtMs = timestampMs + next();
      const lag = next();
      observations.push({ offset, timestampMs, observedAtMs, lag: lag === 0 ? undefined : lag - 1 });
    }
    windows.set(partition, {
      observations,
      committedAtMs,
      behindSinceMs: behindSince === 0 ? undefined : behindSince - 1,
      unreadSinceMs: unreadSince === 0 ? undefined : unreadSince - 2,
    });
  }
  return windows;
}
