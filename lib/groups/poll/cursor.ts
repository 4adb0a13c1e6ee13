/**
 * What a polling consumer carries from one poll to the next, so that any process can serve it: who it is, what it has, and up
 * to where it was given records. To the consumer it is one opaque word.
 *
 * C1  A cursor says what was returned, not what was committed: a poll commits what the cursor of the one before it has. A reply
 *     that was lost leaves the consumer with the older cursor, and what it had is returned again: at least once.
 */
import { BrokerlessError } from "../../base/errors.ts";

/** A partition that the consumer has. */
export interface Position {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** The next offset that it is given; -1 while nobody has looked for one. */
  readonly offset: number;
  /** Not committed yet. */
  readonly dirty: boolean;
  readonly paused: boolean;
}

export const RESETS = ["earliest", "latest", "none"] as const;
export type Reset = (typeof RESETS)[number];

export interface Cursor {
  readonly group: string;
  /** Empty: it has not joined, or is no member at all (`assigned.ts`). */
  readonly memberId: string;
  readonly epoch: number;
  readonly instanceId: string | undefined;
  readonly topics: readonly string[];
  readonly regex: string | undefined;
  /** Where to begin in a partition that has no offset to go on from. */
  readonly reset: Reset;
  readonly positions: readonly Position[];
}

const VERSION = 1;
/** 10,000 partitions of a topic with a long name take a third of it. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

type PackedTopic = readonly [topic: string, topicId: string, positions: readonly (readonly [number, number, number])[]];

export function encodeCursor(cursor: Cursor): string {
  const byTopic = new Map<string, [string, string, [number, number, number][]]>();
  for (const { topic, topicId, partition, offset, dirty, paused } of cursor.positions) {
    const entry = byTopic.get(topic) ?? [topic, topicId, []];
    entry[2].push([partition, offset, (dirty ? 1 : 0) + (paused ? 2 : 0)]);
    byTopic.set(topic, entry);
  }
  const { group, memberId, epoch, instanceId, topics, regex, reset } = cursor;
  const packed = {
    v: VERSION,
    g: group,
    m: memberId,
    e: epoch,
    i: instanceId,
    t: topics,
    r: regex,
    a: reset,
    p: [...byTopic.values()],
  };
  return Buffer.from(JSON.stringify(packed)).toString("base64url");
}

/** Throws `invalid_request` for what is no cursor, or that of another group. */
export function decodeCursor(text: string, group: string): Cursor {
  if (text.length > MOST_CHARACTERS) throw notOurs(`is over ${MOST_CHARACTERS} characters`);
  let packed: Record<string, unknown>;
  try {
    packed = JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;
  } catch {
    throw notOurs("is not one that a poll gave");
  }
  const { v, g, m, e, i, t, r, a, p } = packed ?? {};
  if (v !== VERSION)
    throw notOurs(typeof v === "number" ? `has version ${v}; ${VERSION} is known` : "is not one that a poll gave");
  if (g !== group) throw notOurs("is of another group");
  const isWhole =
    isText(m) && Number.isSafeInteger(e) && Array.isArray(t) && t.every(isText) && Array.isArray(p) && p.every(isPacked);
  if (!isWhole || !isOptionalText(i) || !isOptionalText(r) || !isReset(a)) throw notOurs("is not one that a poll gave");
  const positions = (p as readonly PackedTopic[]).flatMap(([topic, topicId, all]) =>
    all.map(([partition, offset, flags]) => ({
      topic,
      topicId,
      partition,
      offset,
      dirty: (flags & 1) !== 0,
      paused: (flags & 2) !== 0,
    })),
  );
  return { group, memberId: m, epoch: e as number, instanceId: i, topics: t, regex: r, reset: a, positions };
}

/** Unicode, as all text that is stored. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

function isReset(value: unknown): value is Reset {
  return RESETS.some((one) => one === value);
}

function isPacked(value: unknown): value is PackedTopic {
  return (
    Array.isArray(value) &&
    isText(value[0]) &&
    isText(value[1]) &&
    Array.isArray(value[2]) &&
    value[2].every((one: unknown) => Array.isArray(one) && one.length === 3 && one.every(Number.isSafeInteger))
  );
}

function notOurs(what: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `the cursor ${what}`, { field: "cursor" });
}
