import { expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { KAFKA_ERRORS } from "../../../lib/kafka/index.ts";
import { consumerGroupDescribe } from "../../../lib/kafka/protocol/api/consumer-group-describe.ts";
import { consumerGroupHeartbeat } from "../../../lib/kafka/protocol/api/consumer-group-heartbeat.ts";
import { deleteGroups } from "../../../lib/kafka/protocol/api/delete-groups.ts";
import { describeGroups } from "../../../lib/kafka/protocol/api/describe-groups.ts";
import { findCoordinator } from "../../../lib/kafka/protocol/api/find-coordinator.ts";
import { heartbeat } from "../../../lib/kafka/protocol/api/heartbeat.ts";
import { joinGroup } from "../../../lib/kafka/protocol/api/join-group.ts";
import { leaveGroup } from "../../../lib/kafka/protocol/api/leave-group.ts";
import { listGroups } from "../../../lib/kafka/protocol/api/list-groups.ts";
import { offsetCommit } from "../../../lib/kafka/protocol/api/offset-commit.ts";
import { offsetDelete } from "../../../lib/kafka/protocol/api/offset-delete.ts";
import { offsetFetch } from "../../../lib/kafka/protocol/api/offset-fetch.ts";
import { syncGroup } from "../../../lib/kafka/protocol/api/sync-group.ts";
import { assignment, groupsOverMemory, subscription } from "../groups/support.ts";
import { wireOverMemory } from "./support.ts";

const NO_ID = "AAAAAAAAAAAAAAAAAAAAAA";

async function bench() {
  const { log, parts } = groupsOverMemory();
  const wire = wireOverMemory({}, { log, groups: createGroups(parts, { initialDelayMs: 0 }) });
  await log.createTopic({ name: "t", partitions: 2 });
  return { ...wire, log, id: (await log.topic("t")).id };
}

const versions = ([first, last]: readonly [number, number]) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test.each(versions(joinGroup.versions))(
  "a member joins, syncs, beats, commits, fetches and leaves in version %i of the protocol",
  async (version) => {
    const { ask, log, id, internalErrors } = await bench();
    const at = (api: { versions: readonly [number, number] }) => Math.min(version, api.versions[1]);
    const coordinator = await ask(findCoordinator, at(findCoordinator), { key: "g", coordinatorKeys: ["g"] });
    expect([coordinator.port, coordinator.coordinators[0]?.port]).toContain(9092);
    const join = (memberId: string) =>
      ask(joinGroup, version, {
        groupId: "g",
        sessionTimeoutMs: 10_000,
        memberId,
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: subscription(["t"]) }],
      });
    let joined = await join("");
    if (version >= 4) {
      expect(joined.errorCode).toBe(KAFKA_ERRORS.MEMBER_ID_REQUIRED.code);
      joined = await join(joined.memberId);
    }
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1, leader: joined.memberId, protocolName: "range" });
    const { memberId, generationId } = joined;
    const given = assignment({ t: [0, 1] });
    const synced = await ask(syncGroup, at(syncGroup), {
      groupId: "g",
      generationId,
      memberId,
      assignments: [{ memberId, assignment: given }],
    });
    expect([synced.errorCode, Buffer.from(synced.assignment)]).toEqual([0, given]);
    expect(await ask(heartbeat, at(heartbeat), { groupId: "g", generationId, memberId })).toMatchObject({ errorCode: 0 });
    expect(await ask(heartbeat, at(heartbeat), { groupId: "g", generationId: 7, memberId })).toMatchObject({
      errorCode: KAFKA_ERRORS.ILLEGAL_GENERATION.code,
    });
    const commitVersion = Math.min(version + 1, 10);
    const committed = await ask(offsetCommit, commitVersion, {
      groupId: "g",
      generationIdOrMemberEpoch: generationId,
      memberId,
      topics: [
        {
          name: "t",
          topicId: id,
          partitions: [
            { partitionIndex: 1, committedOffset: 5, committedMetadata: "m" },
            { partitionIndex: 9, committedOffset: 5, committedMetadata: null },
          ],
        },
        { name: "none", topicId: NO_ID, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: "" }] },
      ],
    });
    expect(committed.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))).toEqual([
      [0, 3],
      [commitVersion >= 10 ? 100 : 3],
    ]);
    const topics = [{ name: "t", topicId: id, partitionIndexes: [0, 1] }];
    const fetched = await ask(offsetFetch, commitVersion, { groupId: "g", topics, groups: [{ groupId: "g", topics }] });
    const found = commitVersion >= 8 ? fetched.groups[0]?.topics : fetched.topics;
    expect(found?.[0]?.partitions.map(({ committedOffset, metadata }) => [committedOffset, metadata])).toEqual([
      [-1, ""],
      [5, "m"],
    ]);
    if (commitVersion >= 2) {
      const all = await ask(offsetFetch, commitVersion, { groupId: "g", topics: null, groups: [{ groupId: "g", topics: null }] });
      const some = commitVersion >= 8 ? all.groups[0]?.topics : all.topics;
      expect(some).toMatchObject([
        { ...(commitVersion >= 10 ? { topicId: id } : { name: "t" }), partitions: [{ partitionIndex: 1 }] },
      ]);
    }
    const described = await ask(describeGroups, at(describeGroups), { groups: ["g", "none"], includeAuthorizedOperations: true });
    expect(described.groups.map(({ groupState, errorCode }) => [groupState, errorCode])).toEqual([
      ["Stable", 0],
      ["Dead", version >= 6 ? 69 : 0],
    ]);
    expect(described.groups[0]?.members).toMatchObject([{ memberId, clientId: "test", clientHost: "/127.0.0.1" }]);
    const listed = await ask(listGroups, at(listGroups), { statesFilter: [], typesFilter: [] });
    expect(listed.groups).toMatchObject([{ groupId: "g", protocolType: "consumer" }]);
    const left = await ask(leaveGroup, at(leaveGroup), { groupId: "g", memberId, members: [{ memberId }] });
    expect(left.errorCode).toBe(0);
    const partitions = [{ partitionIndex: 1 }];
    expect((await ask(offsetDelete, 0, { groupId: "g", topics: [{ name: "t", partitions }] })).topics[0]?.partitions).toEqual([
      { partitionIndex: 1, errorCode: 0 },
    ]);
    const deleted = await ask(deleteGroups, Math.min(version, 2), { groupsNames: ["g", "none"] });
    expect(deleted.results.map(({ errorCode }) => errorCode)).toEqual([0, 69]);
    expect(internalErrors).toEqual([]);
    expect(await log.listTopics()).toHaveLength(1);
  },
);

test.each([0, 1])("the server-driven protocol assigns in version %i, and describes what it assigned", async (version) => {
  const { ask, id } = await bench();
  const joining = {
    groupId: "g",
    memberId: "m",
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: ["t"],
    topicPartitions: [],
  };
  const joined = await ask(consumerGroupHeartbeat, version, joining);
  expect(joined).toMatchObject({
    errorCode: 0,
    memberId: "m",
    memberEpoch: 1,
    heartbeatIntervalMs: 5000,
    assignment: { topicPartitions: [{ topicId: id, partitions: [0, 1] }] },
  });
  const next = await ask(consumerGroupHeartbeat, version, { groupId: "g", memberId: "m", memberEpoch: 1 });
  expect(next).toMatchObject({ errorCode: 0, assignment: null });
  const wrong = await ask(consumerGroupHeartbeat, version, { ...joining, memberId: "n", serverAssignor: "none" });
  expect(wrong.errorCode).toBe(KAFKA_ERRORS.UNSUPPORTED_ASSIGNOR.code);
  const { groups } = await ask(consumerGroupDescribe, version, { groupIds: ["g", "none"], includeAuthorizedOperations: false });
  expect(groups).toMatchObject([
    {
      groupState: "Stable",
      groupEpoch: 1,
      assignmentEpoch: 1,
      assignorName: "uniform",
      members: [
        { memberId: "m", subscribedTopicNames: ["t"], assignment: { topicPartitions: [{ topicName: "t", partitions: [0, 1] }] } },
      ],
    },
    { errorCode: 69 },
  ]);
});

test.each([
  [8, "UNSUPPORTED_VERSION"],
  [9, "STALE_MEMBER_EPOCH"],
  [10, "STALE_MEMBER_EPOCH"],
] as const)("a commit of version %i with another member epoch is told %s", async (version, name) => {
  const { ask, id } = await bench();
  const joining = { groupId: "g", memberId: "m", memberEpoch: 0, rebalanceTimeoutMs: 10_000, subscribedTopicNames: ["t"] };
  await ask(consumerGroupHeartbeat, 1, { ...joining, topicPartitions: [] });
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }];
  const commit = async (generationIdOrMemberEpoch: number) =>
    (
      await ask(offsetCommit, version, {
        groupId: "g",
        memberId: "m",
        generationIdOrMemberEpoch,
        topics: [{ name: "t", topicId: id, partitions }],
      })
    ).topics[0]?.partitions[0]?.errorCode;
  expect(await commit(7)).toBe(KAFKA_ERRORS[name].code);
  expect(await commit(1)).toBe(0);
});

test("an id of a topic that another process has deleted and made again is told as such in version 10, also while it is remembered", async () => {
  const { log, parts, another } = groupsOverMemory();
  const { ask, internalErrors } = wireOverMemory({}, { log, groups: createGroups(parts) });
  const oldId = (await log.createTopic({ name: "t" })).id;
  const codes = async (topicId: string, committedOffset: number) => {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: "" }];
    const asked = { groupId: "g", generationIdOrMemberEpoch: -1, memberId: "", topics: [{ topicId, partitions }] };
    const committed = await ask(offsetCommit, 10, asked);
    const fetched = await ask(offsetFetch, 10, { groups: [{ groupId: "g", topics: [{ topicId, partitionIndexes: [0] }] }] });
    const found = fetched.groups[0]?.topics?.[0]?.partitions[0];
    return [committed.topics[0]?.partitions[0]?.errorCode, found?.errorCode, found?.committedOffset];
  };
  expect(await codes(oldId, 100)).toEqual([0, 0, 100]);
  const elsewhere = another();
  await elsewhere.deleteTopic("t");
  const { id } = await elsewhere.createTopic({ name: "t" });
  const gone = KAFKA_ERRORS.UNKNOWN_TOPIC_ID.code;
  expect((await log.topic("t")).id).toBe(oldId);
  const topics = [oldId, id].map((topicId) => ({ topicId, partitionIndexes: [0] }));
  const both = await ask(offsetFetch, 10, { groups: [{ groupId: "g", topics }] });
  expect(both.groups[0]?.topics?.map(({ partitions }) => [partitions[0]?.errorCode, partitions[0]?.committedOffset])).toEqual([
    [gone, -1],
    [0, -1],
  ]);
  expect(await codes(oldId, 101)).toEqual([gone, gone, -1]);
  expect(await codes(id, 5)).toEqual([0, 0, 5]);
  const all = await ask(offsetFetch, 10, { groups: [{ groupId: "g", topics: null }] });
  expect(all.groups[0]?.topics).toMatchObject([{ topicId: id, partitions: [{ committedOffset: 5 }] }]);
  expect(internalErrors).toEqual([]);
});

test("a token is held to its rights on groups, and on the topics whose offsets it asks for", async () => {
  const { ask, connection } = await bench();
  connection.principal = {
    id: "x",
    name: "x",
    grants: [
      { resource: "group", prefix: "mine", operations: ["read"] },
      { resource: "topic", name: "t", operations: ["write"] },
    ],
  };
  const denied = KAFKA_ERRORS.GROUP_AUTHORIZATION_FAILED.code;
  const topics = [{ name: "t", topicId: NO_ID, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: "" }] }];
  const commit = async (groupId: string) =>
    (await ask(offsetCommit, 8, { groupId, memberId: "", topics })).topics[0]?.partitions[0]?.errorCode;
  expect([await commit("g"), await commit("mine")]).toEqual([
    KAFKA_ERRORS.TOPIC_AUTHORIZATION_FAILED.code,
    KAFKA_ERRORS.TOPIC_AUTHORIZATION_FAILED.code,
  ]);
  expect(
    (await ask(findCoordinator, 4, { coordinatorKeys: ["g", "mine"] })).coordinators.map(({ errorCode }) => errorCode),
  ).toEqual([denied, 0]);
  expect((await ask(heartbeat, 4, { groupId: "g", generationId: 1, memberId: "m" })).errorCode).toBe(denied);
  expect((await ask(deleteGroups, 2, { groupsNames: ["mine"] })).results[0]?.errorCode).toBe(denied);
  expect((await ask(describeGroups, 6, { groups: ["g"], includeAuthorizedOperations: false })).groups[0]?.errorCode).toBe(denied);
});
