/** Groups over a log over memory, with a clock that the test moves. */
import { expect } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import type { ClassicState, ConsumerMember, GroupState } from "../../../lib/groups/items/state.ts";
import { decodeState, isStill, putState, stateKey, type Versioned } from "../../../lib/groups/items/state.ts";
import { makeGroup } from "../../../lib/groups/new-group.ts";
import { type Stamp, stampPartitions } from "../../../lib/groups/offsets/stamp.ts";
import type { GroupParts } from "../../../lib/groups/parts.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import type { Storage, Table, Write } from "../../../lib/ports/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { logOverMemory, TestClock } from "../log/support.ts";

export function groupsOverMemory(more: Partial<GroupParts> = {}) {
  const clock = new TestClock();
  // One for both, as in one process: what is appended is heard by whoever waits for it.
  const doorbell = localDoorbell(clock);
  const bench = logOverMemory({ clock, doorbell, ...(more.storage === undefined ? {} : { storage: more.storage }) });
  const { storage, log } = bench;
  const parts: GroupParts = { storage, log, clock, ids: systemIds(clock), doorbell, ...more };
  return {
    ...bench,
    parts,
    groups: createGroups(parts) satisfies Partial<GroupsApi>,
    /** Puts a state in the place of whatever is there. */
    async become(group: string, state: GroupState): Promise<void> {
      if (await makeGroup(parts, group, state)) return;
      const before = decodeState(await storage.table.get(stateKey(group))) as Versioned;
      await storage.table.write(putState(group, state, before));
    },
  };
}

/** Stamps partitions as the state that is there may. */
export async function stamp(parts: GroupParts, group: string, stamps: readonly Stamp[]): Promise<void> {
  const state = decodeState(await parts.storage.table.get(stateKey(group)));
  expect(await stampPartitions(parts, group, stamps, isStill(group, state))).toBe(true);
}

/** The storage with something before or after each single write. */
export function withWrite(storage: Storage, write: (own: Table["write"], op: Write) => ReturnType<Table["write"]>): Storage {
  return withTable(storage, { write: (op) => write((one) => storage.table.write(one), op) });
}

/** The storage with some of its table's methods replaced. */
export function withTable(storage: Storage, own: Partial<Table>): Storage {
  const through = <T extends object>(target: T, replaced: Partial<T>): T =>
    new Proxy(target, {
      get(from, name) {
        if (name in replaced) return replaced[name as keyof T];
        const value = from[name as keyof T];
        return typeof value === "function" ? value.bind(from) : value;
      },
    });
  return through(storage, { table: through(storage.table, own) });
}

const NOTHING = new Uint8Array(0);

/** A stable classic group with these members, each subscribed to the topics. */
export function classicGroup(epoch: number, members: readonly string[], topics: readonly string[] = []): ClassicState {
  return {
    type: "classic",
    epoch,
    sinceMs: 0,
    phase: members.length === 0 ? "Empty" : "Stable",
    protocolType: "consumer",
    protocol: "range",
    leader: members[0],
    deadlineMs: 0,
    notBeforeMs: 0,
    members: Object.fromEntries(
      members.map((id) => [
        id,
        {
          clientId: "test",
          clientHost: "/127.0.0.1",
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 60_000,
          protocols: [{ name: "range", metadata: subscription(topics) }],
          joined: true,
          seenMs: 0,
          assignment: NOTHING,
        },
      ]),
    ),
  };
}

export function consumerMember(epoch: number, more: Partial<ConsumerMember> = {}): ConsumerMember {
  return {
    clientId: "test",
    clientHost: "/127.0.0.1",
    rebalanceTimeoutMs: 60_000,
    topics: [],
    epoch,
    previousEpoch: epoch - 1,
    state: "stable",
    assigned: {},
    revoking: {},
    revokeByMs: 0,
    target: {},
    seenMs: 0,
    ...more,
  };
}

export function consumerGroup(epoch: number, members: Readonly<Record<string, ConsumerMember>>): GroupState {
  return { type: "consumer", epoch, sinceMs: 0, targetEpoch: epoch, topicsHash: "", members };
}

/** ConsumerProtocolSubscription, version 0. */
export function subscription(topics: readonly string[]): Uint8Array {
  return Buffer.concat([int16(0), int32(topics.length), ...topics.map(text), int32(-1)]);
}

/** ConsumerProtocolAssignment, version 0. */
export function assignment(topics: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const entries = Object.entries(topics);
  return Buffer.concat([
    int16(0),
    int32(entries.length),
    ...entries.flatMap(([topic, partitions]) => [text(topic), int32(partitions.length), ...partitions.map(int32)]),
    int32(-1),
  ]);
}

function int16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeInt16BE(value);
  return out;
}

function int32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
