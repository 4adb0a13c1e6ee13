/**
 * Records of `__consumer_offsets` against Kafka's own classes: what `OffsetCommitKey`, `OffsetCommitValue`, `GroupMetadataKey`
 * and `GroupMetadataValue` of kafka-group-coordinator 4.1.0 wrote (`MessageUtil.toVersionPrefixedByteBuffer`), and what
 * `Utils.abs(group.hashCode()) % 50` answered.
 */
import { expect, test } from "vitest";
import { partitionOfGroup } from "../../../../lib/groups/offsets-topic/topic.ts";
import {
  groupMetadataKeyOf,
  groupMetadataValueOf,
  groupOfKey,
  offsetCommitKeyOf,
  offsetCommitValueOf,
} from "../../../../lib/kafka/protocol/consumer-offsets.ts";

const GOLDENS = {
  key: "0001000a62696c6c696e672dc3a900066f726465727300000007",
  value3: "00030000011f71fb04cb0000000500076e6f746520c3bc0000018bcfe56800",
  value1: "0001000000000000002a00000000018bcfe568000000018bcfe65260",
  groupKey: "0002000a62696c6c696e672dc3a9",
  group3:
    "00030008636f6e73756d657200000009000572616e676500036d2d310000018bcfe568000000000200036d2d31ffff000163000a2f3132372e302e302e310000ea600000afc8000000020102000000010300036d2d320001690002633200042f3a3a3100000001000000020000000000000000",
  empty3: "00030008636f6e73756d65720000000affffffff000000000000000100000000",
} as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const AT_MS = 1_700_000_000_000;

test("commits and groups are written as Kafka writes them", () => {
  expect(hex(offsetCommitKeyOf("billing-é", "orders", 7))).toBe(GOLDENS.key);
  const commit = { leaderEpoch: 5, metadata: "note ü", committedAtMs: AT_MS, expiresAtMs: -1 };
  expect(hex(offsetCommitValueOf({ ...commit, offset: 1_234_567_890_123 }))).toBe(GOLDENS.value3);
  expect(hex(offsetCommitValueOf({ ...commit, offset: 42, metadata: "", expiresAtMs: AT_MS + 60_000 }))).toBe(GOLDENS.value1);
  expect(hex(groupMetadataKeyOf("billing-é"))).toBe(GOLDENS.groupKey);
  const first = {
    memberId: "m-1",
    groupInstanceId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    rebalanceTimeout: 60_000,
    sessionTimeout: 45_000,
    subscription: Uint8Array.of(1, 2),
    assignment: Uint8Array.of(3),
  };
  const second = {
    memberId: "m-2",
    groupInstanceId: "i",
    clientId: "c2",
    clientHost: "/::1",
    rebalanceTimeout: 1,
    sessionTimeout: 2,
    subscription: new Uint8Array(0),
    assignment: new Uint8Array(0),
  };
  const group = { protocolType: "consumer", generation: 9, protocol: "range", leader: "m-1", currentStateTimestamp: AT_MS };
  expect(hex(groupMetadataValueOf({ ...group, members: [first, second] }))).toBe(GOLDENS.group3);
  const empty = { ...group, generation: 10, protocol: null, leader: null, currentStateTimestamp: 1 };
  expect(hex(groupMetadataValueOf({ ...empty, members: [] }))).toBe(GOLDENS.empty3);
});

test("a key says whose it is; one of another kind does not", () => {
  expect(groupOfKey(Buffer.from(GOLDENS.key, "hex"))).toBe("billing-é");
  expect(groupOfKey(Buffer.from(GOLDENS.groupKey, "hex"))).toBe("billing-é");
  // ConsumerGroupMetadataKey, and no key at all.
  expect(groupOfKey(Buffer.from("0003000167", "hex"))).toBeUndefined();
  expect(groupOfKey(new Uint8Array(1))).toBeUndefined();
});

test("a group is in the partition in which Kafka would look for it", () => {
  const names = { "billing-é": 29, g: 3, "": 0, "console-consumer-12345": 6, 日本: 47, polygenelubricants: 0 };
  expect(Object.fromEntries(Object.keys(names).map((name) => [name, partitionOfGroup(name, 50)]))).toEqual(names);
});
