/**
 * A REST consumer between two calls (Confluent's REST API v2). Key `REST#<group>`, its name:
 *
 * | attribute | what |
 * |---|---|
 * | `v`, `k` | format version; counter: every change adds one |
 * | `n` | names the write: whose answer was lost is found by it |
 * | `u` | when it was last called, milliseconds since 1970 |
 * | `f`, `a`, `b`, `w` | format; commits by itself; bytes that a read waits for; how long it waits, milliseconds |
 * | `m` | `none`, `subscribed`, `assigned` |
 * | `c` | who it is, what it has, and up to where it was given records (`poll/cursor.ts`) |
 * | `q` | how many answers had records |
 * | `r` | what the last of them moved: topic, partition, from, was it dirty; in turn |
 *
 * R1  `k` grows with every change, and every change is on condition that `k` is what was read: of two calls at once one is
 *     refused, and nothing that it read was given to anybody.
 * R2  It expires 300 s after its last call. What it had not committed is given to others of its group.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Delete, Item, Key, Put, Update, Value } from "../../ports/index.ts";
import { textBytes } from "../../ports/values.ts";
import { type Cursor, decodeCursor, encodeCursor } from "../poll/cursor.ts";

/** Confluent's `consumer.instance.timeout.ms`. */
const KEPT_MS = 300_000;
/** A DynamoDB item takes 400 KB with its names. */
const MOST_BYTES = 380_000;

export const CONSUMER_FORMATS = ["binary", "json"] as const;
export type ConsumerFormat = (typeof CONSUMER_FORMATS)[number];

/** What the last answer moved in a partition. */
export interface Given {
  readonly topic: string;
  readonly partition: number;
  /** Where the consumer was before. */
  readonly from: number;
  readonly wasDirty: boolean;
}

export interface RestConsumer {
  readonly group: string;
  readonly name: string;
  readonly format: ConsumerFormat;
  readonly autoCommit: boolean;
  readonly minBytes: number;
  readonly timeoutMs: number;
  readonly mode: "none" | "subscribed" | "assigned";
  /** Of an assigned one without a member id. */
  readonly cursor: Cursor;
  /** Of the last answer that had records; 0: none had. */
  readonly sequence: number;
  /** By that answer. Empty once it is known to have arrived. */
  readonly given: readonly Given[];
}

/** A consumer with the counter it was read at. */
export interface StoredConsumer {
  readonly consumer: RestConsumer;
  readonly version: number;
  readonly calledMs: number;
}

export function consumerKey(group: string, name: string): Key {
  return { pk: `REST#${group}`, sk: name };
}

/** Throws `request_too_large` for more partitions than an item holds. */
export function putConsumer(consumer: RestConsumer, before: StoredConsumer | undefined, nonce: string, nowMs: number): Put {
  const { group, name, cursor, given } = consumer;
  const state = encodeCursor(cursor);
  const moved: Value[] = given.flatMap(({ topic, partition, from, wasDirty }) => [topic, partition, from, wasDirty]);
  const sizeBytes = textBytes(state) + textBytes(JSON.stringify(moved));
  if (sizeBytes > MOST_BYTES) {
    throw new BrokerlessError(
      "request_too_large",
      `consumer "${name}" has ${cursor.positions.length} partitions, whose state is ${sizeBytes} bytes; at most ${MOST_BYTES} are kept: use more consumers`,
    );
  }
  return {
    op: "put",
    key: consumerKey(group, name),
    item: {
      v: FORMAT_VERSION,
      k: (before?.version ?? 0) + 1,
      n: nonce,
      u: nowMs,
      f: consumer.format,
      a: consumer.autoCommit,
      b: consumer.minBytes,
      w: consumer.timeoutMs,
      m: consumer.mode,
      c: state,
      q: consumer.sequence,
      r: moved,
    },
    when: [before === undefined ? { item: "absent" } : { path: "k", is: "=", value: before.version }],
    expiresAtMs: nowMs + KEPT_MS,
  };
}

/** It was called. */
export function touchConsumer({ consumer: { group, name } }: StoredConsumer, nowMs: number): Update {
  return {
    op: "update",
    key: consumerKey(group, name),
    changes: [{ set: "u", to: nowMs }],
    when: [{ item: "exists" }],
    expiresAtMs: nowMs + KEPT_MS,
  };
}

export function deleteConsumer(group: string, name: string): Delete {
  return { op: "delete", key: consumerKey(group, name) };
}

export function decodeConsumer(group: string, name: string, item: Item): StoredConsumer {
  checkFormat(item, `consumer "${name}" of group "${group}"`);
  const moved = item["r"] as readonly Value[];
  return {
    version: item["k"] as number,
    calledMs: item["u"] as number,
    consumer: {
      group,
      name,
      format: item["f"] as ConsumerFormat,
      autoCommit: item["a"] as boolean,
      minBytes: item["b"] as number,
      timeoutMs: item["w"] as number,
      mode: item["m"] as RestConsumer["mode"],
      cursor: decodeCursor(item["c"] as string, group),
      sequence: item["q"] as number,
      given: Array.from({ length: moved.length / 4 }, (_, i) => ({
        topic: moved[4 * i] as string,
        partition: moved[4 * i + 1] as number,
        from: moved[4 * i + 2] as number,
        wasDirty: moved[4 * i + 3] as boolean,
      })),
    },
  };
}

/** Is this the item that a write of this name made? */
export function isWrittenBy(item: Item | undefined, nonce: string): boolean {
  return item?.["n"] === nonce;
}
