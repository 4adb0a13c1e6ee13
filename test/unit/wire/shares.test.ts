import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { ANYONE } from "../../../lib/auth/index.ts";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { createGroups } from "../../../lib/groups/groups.ts";
import type { ShareGroupsApi } from "../../../lib/groups/share/types.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { decodeBatch, KAFKA_ERRORS, type KafkaErrorName } from "../../../lib/kafka/index.ts";
import { alterShareGroupOffsets } from "../../../lib/kafka/protocol/api/alter-share-group-offsets.ts";
import { apiVersions } from "../../../lib/kafka/protocol/api/api-versions.ts";
import { consumerGroupDescribe } from "../../../lib/kafka/protocol/api/consumer-group-describe.ts";
import { consumerGroupHeartbeat } from "../../../lib/kafka/protocol/api/consumer-group-heartbeat.ts";
import { deleteGroups } from "../../../lib/kafka/protocol/api/delete-groups.ts";
import { deleteShareGroupOffsets } from "../../../lib/kafka/protocol/api/delete-share-group-offsets.ts";
import { describeShareGroupOffsets } from "../../../lib/kafka/protocol/api/describe-share-group-offsets.ts";
import { incrementalAlterConfigs } from "../../../lib/kafka/protocol/api/incremental-alter-configs.ts";
import { joinGroup } from "../../../lib/kafka/protocol/api/join-group.ts";
import { listGroups } from "../../../lib/kafka/protocol/api/list-groups.ts";
import { offsetCommit } from "../../../lib/kafka/protocol/api/offset-commit.ts";
import { shareAcknowledge } from "../../../lib/kafka/protocol/api/share-acknowledge.ts";
import { shareFetch } from "../../../lib/kafka/protocol/api/share-fetch.ts";
import { shareGroupDescribe } from "../../../lib/kafka/protocol/api/share-group-describe.ts";
import { shareGroupHeartbeat } from "../../../lib/kafka/protocol/api/share-group-heartbeat.ts";
import { sharesOverMemory } from "../groups/share/support.ts";
import { subscription } from "../groups/support.ts";
import { wireOverMemory } from "./support.ts";

const code = (name: KafkaErrorName): number => KAFKA_ERRORS[name].code;
const NO_ID = "AAAAAAAAAAAAAAAAAAAAAA";

type Batches = readonly (readonly [first: number, last: number, ...types: number[]])[];

async function bench(options: { readonly partitions?: number } = {}) {
  const { log, parts, shares, topicId, produce, clock } = await sharesOverMemory(options);
  /** What is to fail, and with what. */
  const failing: { call?: keyof ShareGroupsApi; error?: Error } = {};
  const troubled = new Proxy(shares, {
    get(target, name) {
      if (name === failing.call) return async () => Promise.reject(failing.error);
      const found = target[name as keyof ShareGroupsApi];
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
  const wire = wireOverMemory({}, { log, clock, groups: createGroups(parts), shares: async () => troubled });
  const { ask } = wire;
  await ask(incrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: 32,
        resourceName: "g",
        configs: [{ name: "share.auto.offset.reset", configOperation: 0, value: "earliest" }],
      },
    ],
    validateOnly: false,
  });
  const topicsOf = (acks: Batches, partitions: readonly number[], id: string) => [
    {
      topicId: id,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        acknowledgementBatches: acks.map(([firstOffset, lastOffset, ...acknowledgeTypes]) => ({
          firstOffset,
          lastOffset,
          acknowledgeTypes,
        })),
      })),
    },
  ];
  const fetchIn = (memberId: string, shareSessionEpoch: number, more: Partial<Asked> = {}) => {
    const { acks = [], partitions = shareSessionEpoch === 0 || acks.length > 0 ? [0] : [], id = topicId, version = 2 } = more;
    return ask(shareFetch, version, {
      groupId: more.group ?? "g",
      memberId,
      shareSessionEpoch,
      maxWaitMs: more.maxWaitMs ?? 0,
      minBytes: more.minBytes ?? 1,
      maxBytes: more.maxBytes ?? 1_000_000,
      maxRecords: more.maxRecords ?? 100,
      batchSize: more.batchSize ?? 100,
      isRenewAck: more.renews ?? false,
      topics: partitions.length === 0 ? [] : topicsOf(acks, partitions, id),
      forgottenTopicsData: (more.forget ?? []).map((partition) => ({ topicId, partitions: [partition] })),
    });
  };
  const acknowledge = (memberId: string, shareSessionEpoch: number, acks: Batches, renews = false) =>
    ask(shareAcknowledge, 2, {
      groupId: "g",
      memberId,
      shareSessionEpoch,
      isRenewAck: renews,
      topics: acks.length === 0 ? [] : topicsOf(acks, [0], topicId),
    });
  return { ...wire, log, clock, topicId, produce, fetchIn, acknowledge, failing };
}

interface Asked {
  readonly group: string;
  readonly acks: Batches;
  readonly partitions: readonly number[];
  readonly id: string;
  readonly version: number;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly batchSize: number;
  readonly renews: boolean;
  readonly forget: readonly number[];
}

type Fetched = Awaited<ReturnType<Awaited<ReturnType<typeof bench>>["fetchIn"]>>;

/** First and last offset and delivery count of each range. */
function acquired({ errorCode, responses }: Fetched): [number, number, number][] {
  expect(errorCode).toBe(0);
  return responses.flatMap(({ partitions }) =>
    partitions.flatMap((one) => {
      expect([one.errorCode, one.acknowledgeErrorCode]).toEqual([0, 0]);
      return one.acquiredRecords.map(({ firstOffset, lastOffset, deliveryCount }): [number, number, number] => [
        firstOffset,
        lastOffset,
        deliveryCount,
      ]);
    }),
  );
}

test.each([1, 2])(
  "a member joins, fetches, acknowledges with the next fetch and leaves, in version %i of ShareFetch",
  async (version) => {
    const { ask, fetchIn, acknowledge, produce, topicId, internalErrors } = await bench();
    const join = { groupId: "g", memberId: "m", memberEpoch: 0, subscribedTopicNames: ["t"] };
    const joined = await ask(shareGroupHeartbeat, 1, join);
    expect(joined).toMatchObject({
      errorCode: 0,
      memberId: "m",
      heartbeatIntervalMs: 5000,
      assignment: { topicPartitions: [{ topicId, partitions: [0] }] },
    });
    await produce(["a", "b", "c"]);
    const first = await fetchIn("m", 0, { version });
    expect(acquired(first)).toEqual([[0, 2, 1]]);
    expect(first.acquisitionLockTimeoutMs).toBe(30_000);
    const bytes = first.responses[0]?.partitions[0]?.records as Uint8Array;
    expect(decodeBatch(bytes, 0, nodeCodecs).map(({ value }) => Buffer.from(value as Uint8Array).toString())).toEqual([
      "a",
      "b",
      "c",
    ]);
    const second = await fetchIn("m", 1, { version, acks: [[0, 2, 1, 2, 3]] });
    expect(acquired(second)).toEqual([[1, 1, 2]]);
    expect((await acknowledge("m", 2, [[1, 1, 1]])).responses[0]?.partitions).toMatchObject([
      { partitionIndex: 0, errorCode: 0 },
    ]);
    expect(acquired(await fetchIn("m", 3, { version }))).toEqual([]);
    expect(await acknowledge("m", -1, [])).toMatchObject({ errorCode: 0, responses: [] });
    const left = await ask(shareGroupHeartbeat, 1, { groupId: "g", memberId: "m", memberEpoch: -1 });
    expect(left).toMatchObject({ errorCode: 0, memberEpoch: -1 });
    expect(internalErrors).toEqual([]);
  },
);

test("two members of one partition are given different records, never more than they ask for", async () => {
  const { fetchIn, produce } = await bench();
  await produce(["a", "b", "c", "d", "e"]);
  expect(acquired(await fetchIn("m", 0, { maxRecords: 2 }))).toEqual([[0, 1, 1]]);
  expect(acquired(await fetchIn("n", 0, { maxRecords: 2 }))).toEqual([[2, 3, 1]]);
  expect(acquired(await fetchIn("m", 1))).toEqual([[4, 4, 1]]);
});

test("acquired records come in ranges of batch_size at most", async () => {
  const { fetchIn, produce } = await bench();
  await produce(["a", "b", "c", "d", "e"]);
  expect(acquired(await fetchIn("m", 0, { batchSize: 2 }))).toEqual([
    [0, 1, 1],
    [2, 3, 1],
    [4, 4, 1],
  ]);
});

test("a fetch waits for a first record, and for min_bytes while there is time", async () => {
  const { fetchIn, produce } = await bench();
  const waiting = fetchIn("m", 0, { maxWaitMs: 5000 });
  await produce(["a"]);
  expect(acquired(await waiting)).toEqual([[0, 0, 1]]);
  const more = fetchIn("m", 1, { maxWaitMs: 5000, minBytes: 150, batchSize: 1 });
  await produce(["b"]);
  await setImmediate();
  await produce(["c"]);
  await setImmediate();
  await produce(["d"]);
  expect(acquired(await more).map(([first]) => first)).toEqual([1, 2, 3]);
  await produce(["e"]);
  const late = await fetchIn("m", 2, { maxWaitMs: 5000, minBytes: 100_000 });
  expect(acquired(late)).toEqual([[4, 4, 1]]);
  // What it waited for more is gone from the lock.
  expect(late.acquisitionLockTimeoutMs).toBeLessThanOrEqual(25_000);
});

test("a share session that is not there, or is past the epoch, is refused; ShareAcknowledge opens none", async () => {
  const { fetchIn, acknowledge, produce } = await bench();
  await produce(["a"]);
  expect((await fetchIn("m", 1)).errorCode).toBe(code("SHARE_SESSION_NOT_FOUND"));
  expect((await acknowledge("m", 1, [])).errorCode).toBe(code("SHARE_SESSION_NOT_FOUND"));
  expect((await acknowledge("m", -1, [])).errorCode).toBe(code("SHARE_SESSION_NOT_FOUND"));
  expect((await acknowledge("m", 0, [])).errorCode).toBe(code("INVALID_SHARE_SESSION_EPOCH"));
  await fetchIn("m", 0);
  await fetchIn("m", 5, { forget: [0] });
  expect((await fetchIn("m", 4)).errorCode).toBe(code("INVALID_SHARE_SESSION_EPOCH"));
  expect(await fetchIn("m", 0, { acks: [[0, 0, 1]] })).toMatchObject({ errorCode: code("INVALID_REQUEST") });
});

test("a member id of no length or too much of it, and a session of too many partitions, are refused before anything is written", async () => {
  const { fetchIn, produce, ask } = await bench();
  await produce(["a"]);
  const many = Array.from({ length: 10_001 }, (_, partition) => partition);
  for (const refused of [await fetchIn("", 0), await fetchIn("m".repeat(41), 0), await fetchIn("m", 0, { partitions: many })]) {
    expect(refused.errorCode).toBe(code("INVALID_REQUEST"));
  }
  expect((await fetchIn("m", 1)).errorCode).toBe(code("SHARE_SESSION_NOT_FOUND"));
  expect((await ask(listGroups, 5, { statesFilter: [], typesFilter: [] })).groups).toEqual([]);
});

test("acknowledgements of one partition in two places of a request hold together or not at all", async () => {
  const { ask, fetchIn, produce, topicId } = await bench();
  await produce(["a", "b"]);
  await fetchIn("m", 0);
  const partitions = (offset: number) => [
    { partitionIndex: 0, acknowledgementBatches: [{ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [1] }] },
  ];
  const twice = (shareSessionEpoch: number, offsets: readonly number[]) =>
    ask(shareAcknowledge, 2, {
      groupId: "g",
      memberId: "m",
      shareSessionEpoch,
      topics: offsets.map((offset) => ({ topicId, partitions: partitions(offset) })),
    });
  expect((await twice(1, [7, 0])).responses).toMatchObject([{ partitions: [{ errorCode: code("INVALID_RECORD_STATE") }] }]);
  expect((await twice(2, [0, 1])).responses).toMatchObject([{ partitions: [{ errorCode: 0 }] }]);
});

test("a partition that was forgotten is fetched no more, until it is named again", async () => {
  const { fetchIn, produce } = await bench({ partitions: 2 });
  expect(acquired(await fetchIn("m", 0, { partitions: [0, 1] }))).toEqual([]);
  await fetchIn("m", 1, { forget: [1] });
  await produce(["a"], {}, 1);
  expect(acquired(await fetchIn("m", 2))).toEqual([]);
  expect(acquired(await fetchIn("m", 3, { partitions: [1] }))).toEqual([[0, 0, 1]]);
});

test("a session that closes acknowledges first and gives back the rest, by either API", async () => {
  const { fetchIn, acknowledge, produce } = await bench();
  await produce(["a", "b"]);
  await fetchIn("m", 0);
  const closed = await acknowledge("m", -1, [[0, 0, 1]]);
  expect(closed).toMatchObject({ errorCode: 0, responses: [{ partitions: [{ errorCode: 0 }] }] });
  expect(acquired(await fetchIn("n", 0))).toEqual([[1, 1, 2]]);
  expect(acquired(await fetchIn("n", -1, { acks: [[1, 1, 1]] }))).toEqual([]);
  expect(acquired(await fetchIn("m", 0))).toEqual([]);
});

test("what a member does not hold it cannot acknowledge; the records that it asks for come all the same", async () => {
  const { fetchIn, acknowledge, produce } = await bench();
  await produce(["a"]);
  await fetchIn("m", 0);
  await fetchIn("n", 0);
  await produce(["b"]);
  const { errorCode, responses } = await fetchIn("n", 1, { acks: [[0, 0, 1]] });
  expect(errorCode).toBe(0);
  expect(responses[0]?.partitions).toMatchObject([
    {
      partitionIndex: 0,
      errorCode: 0,
      acknowledgeErrorCode: code("INVALID_RECORD_STATE"),
      acquiredRecords: [{ firstOffset: 1, lastOffset: 1, deliveryCount: 1 }],
    },
  ]);
  const unknown = await acknowledge("m", 1, [[0, 0, 9]]);
  expect(unknown.responses[0]?.partitions).toMatchObject([{ errorCode: code("INVALID_REQUEST") }]);
  expect((await acknowledge("m", 2, [[0, 0, 1]])).responses[0]?.partitions[0]?.errorCode).toBe(0);
});

test("a lock is renewed by a request that says so, which brings no records", async () => {
  const { fetchIn, acknowledge, produce, clock } = await bench();
  await produce(["a", "b"]);
  await fetchIn("m", 0);
  clock.ms += 20_000;
  const renewed = await acknowledge("m", 1, [[0, 0, 4]], true);
  expect(renewed).toMatchObject({
    errorCode: 0,
    acquisitionLockTimeoutMs: 30_000,
    responses: [{ partitions: [{ errorCode: 0 }] }],
  });
  expect((await acknowledge("m", 2, [[0, 0, 4]])).responses[0]?.partitions[0]?.errorCode).toBe(code("INVALID_REQUEST"));
  clock.ms += 20_000;
  expect(acquired(await fetchIn("n", 0))).toEqual([[1, 1, 2]]);
  expect((await fetchIn("m", 3, { renews: true, acks: [[0, 0, 4]] })).errorCode).toBe(code("INVALID_REQUEST"));
  await produce(["c"]);
  const nothing = { minBytes: 0, maxBytes: 0, maxRecords: 0 };
  const again = await fetchIn("m", 4, { renews: true, acks: [[0, 0, 4]], ...nothing });
  expect(again.responses[0]?.partitions).toMatchObject([{ acknowledgeErrorCode: 0, acquiredRecords: [] }]);
  clock.ms += 20_000;
  expect((await acknowledge("m", 5, [[0, 0, 1]])).responses[0]?.partitions[0]?.errorCode).toBe(0);
});

test("a client opens its session anew where the storage lost it, and knows what became of its acknowledgements where records did not come", async () => {
  const { fetchIn, acknowledge, produce, failing } = await bench();
  await produce(["a", "b"]);
  failing.error = new BrokerlessError("unavailable", "the storage is not there");
  failing.call = "session";
  expect((await fetchIn("m", 0)).errorCode).toBe(code("SHARE_SESSION_NOT_FOUND"));
  delete failing.call;
  await fetchIn("m", 0);
  failing.call = "acquire";
  const { errorCode, responses } = await fetchIn("m", 1, { acks: [[0, 0, 1]] });
  expect(errorCode).toBe(0);
  expect(responses[0]?.partitions).toMatchObject([{ errorCode: 0, acknowledgeErrorCode: 0, acquiredRecords: [] }]);
  expect((await fetchIn("m", 2)).errorCode).toBe(code("COORDINATOR_NOT_AVAILABLE"));
  failing.call = "acknowledge";
  failing.error = new BrokerlessError("outcome_unknown", "no answer", { outcome: "unknown" });
  const unsure = await acknowledge("m", 3, [[1, 1, 1]]);
  expect(unsure.responses[0]?.partitions).toMatchObject([{ errorCode: code("REQUEST_TIMED_OUT") }]);
  delete failing.call;
  expect((await acknowledge("m", 4, [[1, 1, 1]])).responses[0]?.partitions).toMatchObject([{ errorCode: 0 }]);
});

test("a topic that is not there, and one that may not be read, are told for each partition", async () => {
  const { connection, fetchIn, produce, ask, acknowledge } = await bench();
  await produce(["a"]);
  const gone = await fetchIn("m", 0, { id: NO_ID, maxWaitMs: 60_000 });
  expect(gone.responses[0]?.partitions).toMatchObject([{ errorCode: code("UNKNOWN_TOPIC_ID") }]);
  const beyond = await fetchIn("m", 0, { partitions: [7], maxWaitMs: 60_000 });
  expect(beyond.responses[0]?.partitions).toMatchObject([{ partitionIndex: 7, errorCode: code("UNKNOWN_TOPIC_OR_PARTITION") }]);
  await fetchIn("m", 0);
  connection.principal = { ...ANYONE, grants: [{ resource: "group", operations: ["read"], name: "g" }] };
  const hidden = await fetchIn("m", 1, { acks: [[0, 0, 1]], maxWaitMs: 60_000 });
  expect(hidden.responses[0]?.partitions).toMatchObject([
    {
      errorCode: code("TOPIC_AUTHORIZATION_FAILED"),
      acknowledgeErrorCode: code("TOPIC_AUTHORIZATION_FAILED"),
      acquiredRecords: [],
    },
  ]);
  const joining = { groupId: "g", memberId: "m", memberEpoch: 0, subscribedTopicNames: ["t"] };
  expect((await ask(shareGroupHeartbeat, 1, joining)).errorCode).toBe(code("TOPIC_AUTHORIZATION_FAILED"));
  connection.principal = { ...ANYONE, grants: [{ resource: "topic", operations: ["read"], name: "t" }] };
  for (const answer of [
    await fetchIn("m", 2),
    await acknowledge("m", 3, [[0, 0, 1]]),
    await ask(shareGroupHeartbeat, 1, joining),
    (await ask(shareGroupDescribe, 1, { groupIds: ["g"], includeAuthorizedOperations: false })).groups[0],
    (await ask(describeShareGroupOffsets, 1, { groups: [{ groupId: "g", topics: null }] })).groups[0],
    await ask(alterShareGroupOffsets, 0, { groupId: "g", topics: [] }),
    await ask(deleteShareGroupOffsets, 0, { groupId: "g", topics: [] }),
  ]) {
    expect(answer?.errorCode).toBe(code("GROUP_AUTHORIZATION_FAILED"));
  }
});

test("a share group is listed, described, its offsets told, altered and deleted, and it is deleted itself", async () => {
  const { ask, fetchIn, acknowledge, produce, topicId, internalErrors } = await bench({ partitions: 2 });
  await ask(shareGroupHeartbeat, 1, { groupId: "g", memberId: "m", memberEpoch: 0, rackId: "r", subscribedTopicNames: ["t"] });
  await produce(["a", "b", "c"]);
  await fetchIn("m", 0, { maxRecords: 2 });
  await acknowledge("m", 1, [[0, 0, 1]]);
  const listed = await ask(listGroups, 5, { statesFilter: ["stable"], typesFilter: ["Share"] });
  expect(listed.groups).toEqual([{ groupId: "g", protocolType: "share", groupState: "Stable", groupType: "share" }]);
  const described = await ask(shareGroupDescribe, 1, { groupIds: ["g", "none"], includeAuthorizedOperations: true });
  expect(described.groups).toMatchObject([
    {
      errorCode: 0,
      groupState: "Stable",
      groupEpoch: 1,
      assignmentEpoch: 1,
      assignorName: "simple",
      members: [
        {
          memberId: "m",
          rackId: "r",
          memberEpoch: 1,
          clientId: "test",
          clientHost: "/127.0.0.1",
          subscribedTopicNames: ["t"],
          assignment: { topicPartitions: [{ topicId, topicName: "t", partitions: [0, 1] }] },
        },
      ],
    },
    { errorCode: code("GROUP_ID_NOT_FOUND") },
  ]);
  const offsets = async (topics: { topicName: string; partitions: number[] }[] | null) =>
    (await ask(describeShareGroupOffsets, 1, { groups: [{ groupId: "g", topics }] })).groups[0];
  const told = await offsets(null);
  expect(told?.topics).toMatchObject([
    {
      topicName: "t",
      topicId,
      partitions: [
        { partitionIndex: 0, startOffset: 1, lag: 2, errorCode: 0 },
        { partitionIndex: 1, startOffset: -1, lag: -1, errorCode: 0 },
      ],
    },
  ]);
  const some = await offsets([
    { topicName: "t", partitions: [0, 7] },
    { topicName: "none", partitions: [0] },
  ]);
  expect(some?.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))).toEqual([[0, 3], [3]]);

  const alter = (startOffset: number) =>
    ask(alterShareGroupOffsets, 0, {
      groupId: "g",
      topics: [
        {
          topicName: "t",
          partitions: [
            { partitionIndex: 0, startOffset },
            { partitionIndex: 9, startOffset: 0 },
          ],
        },
        { topicName: "none", partitions: [{ partitionIndex: 0, startOffset }] },
      ],
    });
  expect((await alter(0)).errorCode).toBe(code("NON_EMPTY_GROUP"));
  await ask(shareGroupHeartbeat, 1, { groupId: "g", memberId: "m", memberEpoch: -1 });
  const altered = await alter(0);
  expect(altered).toMatchObject({ errorCode: 0, responses: [{ topicId }, { topicName: "none", topicId: NO_ID }] });
  expect(altered.responses.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))).toEqual([[0, 3], [3]]);
  expect((await offsets(null))?.topics[0]?.partitions[0]).toMatchObject({ startOffset: 0, lag: 3 });
  expect(acquired(await fetchIn("n", 0))).toEqual([[0, 2, 1]]);

  const topics = [{ topicName: "t" }, { topicName: "none" }];
  const forgotten = await ask(deleteShareGroupOffsets, 0, { groupId: "g", topics });
  expect(forgotten.responses.map(({ topicName, topicId: id, errorCode }) => [topicName, id, errorCode])).toEqual([
    ["t", topicId, 0],
    ["none", NO_ID, 3],
  ]);
  expect((await offsets(null))?.topics).toEqual([]);
  expect((await ask(deleteGroups, 2, { groupsNames: ["g"] })).results).toEqual([{ groupId: "g", errorCode: 0 }]);
  expect((await offsets(null))?.errorCode).toBe(code("GROUP_ID_NOT_FOUND"));
  expect(internalErrors).toEqual([]);
});

test("a share group takes no consumers, and a group of consumers no share members", async () => {
  const { ask, fetchIn, internalErrors } = await bench();
  const join = (groupId: string) => ({ groupId, memberId: "m", memberEpoch: 0, subscribedTopicNames: ["t"] });
  await ask(shareGroupHeartbeat, 1, join("g"));
  const classic = {
    sessionTimeoutMs: 10_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription(["t"]) }],
  };
  expect((await ask(joinGroup, 3, { groupId: "g", memberId: "", ...classic })).errorCode).toBe(
    code("INCONSISTENT_GROUP_PROTOCOL"),
  );
  const consumes = { rebalanceTimeoutMs: 1000, topicPartitions: [] };
  expect((await ask(consumerGroupHeartbeat, 1, { ...join("g"), ...consumes })).errorCode).toBe(code("GROUP_ID_NOT_FOUND"));
  const offset = { partitionIndex: 0, committedOffset: 1, committedMetadata: null };
  const commit = {
    groupId: "g",
    generationIdOrMemberEpoch: -1,
    memberId: "",
    topics: [{ name: "t", topicId: NO_ID, partitions: [offset] }],
  };
  expect((await ask(offsetCommit, 9, commit)).topics[0]?.partitions[0]?.errorCode).not.toBe(0);
  expect(
    (await ask(consumerGroupDescribe, 1, { groupIds: ["g"], includeAuthorizedOperations: false })).groups[0]?.errorCode,
  ).toBe(code("GROUP_ID_NOT_FOUND"));

  expect((await ask(consumerGroupHeartbeat, 1, { ...join("c"), ...consumes })).errorCode).toBe(0);
  expect((await ask(shareGroupHeartbeat, 1, join("c"))).errorCode).toBe(code("GROUP_ID_NOT_FOUND"));
  expect((await ask(shareGroupDescribe, 1, { groupIds: ["c"], includeAuthorizedOperations: false })).groups[0]?.errorCode).toBe(
    code("GROUP_ID_NOT_FOUND"),
  );
  expect((await ask(alterShareGroupOffsets, 0, { groupId: "c", topics: [] })).errorCode).toBe(code("GROUP_ID_NOT_FOUND"));
  expect((await fetchIn("m", 0, { group: "c" })).errorCode).toBe(code("GROUP_ID_NOT_FOUND"));
  expect(internalErrors).toEqual([]);
});

test("ApiVersions tells share groups as a feature, where there are some", async () => {
  const { ask } = await bench();
  const client = { clientSoftwareName: "test", clientSoftwareVersion: "1" };
  expect((await ask(apiVersions, 4, client)).finalizedFeatures).toContainEqual({
    name: "share.version",
    minVersionLevel: 1,
    maxVersionLevel: 1,
  });
  expect((await wireOverMemory().ask(apiVersions, 4, client)).finalizedFeatures).toEqual([]);
});
