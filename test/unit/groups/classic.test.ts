import { describe, expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import type { JoinRequest } from "../../../lib/groups/types.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { createLog } from "../../../lib/log/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { pollingDoorbell } from "../../../lib/storage/polling/doorbell.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { assignment, subscription } from "./support.ts";

const client = { clientId: "c", clientHost: "/127.0.0.1" };
const ids = systemIds(systemClock);

/** Two processes over one storage, on the real clock. */
async function processes(settings = { initialDelayMs: 0 }) {
  const storage = memoryStorage({ clock: systemClock });
  const make = (doorbell = localDoorbell(systemClock)) => {
    const parts = { storage, clock: systemClock, ids, doorbell };
    const log = createLog({ ...parts, codecs: nodeCodecs });
    return { log, groups: createGroups({ ...parts, log }, settings) };
  };
  const one = make();
  const two = make(pollingDoorbell(systemClock));
  await one.log.createTopic({ name: "t", partitions: 4 });
  return { one: one.groups, two: two.groups, log: one.log, storage };
}

function joining(more: Partial<JoinRequest> = {}): JoinRequest {
  return {
    group: "g",
    memberId: "",
    client,
    sessionTimeoutMs: 6_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription(["t"]) }],
    requireMemberId: false,
    ...more,
  };
}

const ref = ({ memberId, generation }: { memberId: string; generation: number }) => ({ memberId, epoch: generation });

describe("joining", () => {
  test("a new member is given its id first, and joins with it", async () => {
    const { one } = await processes();
    const refusal = await one.join(joining({ requireMemberId: true })).catch((error) => error);
    expect(refusal).toMatchObject({ code: "member_id_required" });
    const { memberId } = refusal.details;
    const joined = await one.join(joining({ memberId, requireMemberId: true }));
    expect(joined).toMatchObject({ memberId, generation: 1, leader: memberId, protocol: "range", protocolType: "consumer" });
    expect(joined.members.map((member) => member.memberId)).toEqual([memberId]);
    await expect(one.join(joining({ memberId: "never-given" }))).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("two members of two processes come into one generation, and each gets what the leader gave it", async () => {
    const { one, two, storage, log } = await processes();
    const first = await one.join(joining());
    await one.sync({
      group: "g",
      member: ref(first),
      assignments: [{ memberId: first.memberId, assignment: assignment({ t: [0, 1, 2, 3] }) }],
    });
    const second = two.join(joining());
    await expect.poll(() => one.heartbeat("g", ref(first)).catch((error) => error.code)).toBe("rebalance_in_progress");
    const again = await one.join(joining({ memberId: first.memberId }));
    const other = await second;
    expect([again.generation, other.generation]).toEqual([2, 2]);
    const follower = two.sync({ group: "g", member: ref(other), assignments: [] });
    await expect(
      one.commit({ group: "g", member: ref(again), offsets: [{ topic: "t", partition: 0, offset: 1 }] }),
    ).rejects.toMatchObject({
      code: "rebalance_in_progress",
    });
    const given = [
      { memberId: first.memberId, assignment: assignment({ t: [0, 1] }) },
      { memberId: other.memberId, assignment: assignment({ t: [2, 3] }) },
    ];
    const mine = await one.sync({ group: "g", member: ref(again), assignments: given });
    expect([mine.assignment, (await follower).assignment].map((bytes) => Buffer.from(bytes))).toEqual(
      given.map((one) => one.assignment),
    );
    // Stamped before anybody was told.
    const { id } = await log.topic("t");
    const block = await storage.table.get({ pk: "G#g", sk: `O#${id}#00000` });
    expect([0, 1, 2, 3].map((i) => block?.[`s${i}`])).toEqual([2, 2, 2, 2]);
    const commit = async (member: { memberId: string; epoch: number }) =>
      (await two.commit({ group: "g", member, offsets: [{ topic: "t", partition: 2, offset: 7 }] }))[0]?.error?.code;
    expect(await commit(ref(other))).toBeUndefined();
    await expect(commit(ref(first))).rejects.toMatchObject({ code: "illegal_generation" });
    expect(await one.describe("g")).toMatchObject({ phase: "Stable", epoch: 2, assignor: "range", type: "classic" });
  });

  test("members that start together are in the first generation together", async () => {
    const { one } = await processes({ initialDelayMs: 150 });
    const joined = await Promise.all(Array.from({ length: 10 }, () => one.join(joining())));
    expect(new Set(joined.map(({ generation }) => generation))).toEqual(new Set([1]));
    const leaders = joined.filter(({ memberId, leader }) => memberId === leader);
    expect(leaders.map(({ members }) => members.length)).toEqual([10]);
  });

  test("is refused with a session timeout out of bounds, without a protocol, or with none in common", async () => {
    const { one } = await processes();
    await expect(one.join(joining({ sessionTimeoutMs: 5_999 }))).rejects.toMatchObject({ code: "invalid_session_timeout" });
    await expect(one.join(joining({ protocols: [] }))).rejects.toMatchObject({ code: "inconsistent_group_protocol" });
    await one.join(joining());
    const other = [{ name: "sticky", metadata: subscription(["t"]) }];
    await expect(one.join(joining({ protocols: other }))).rejects.toMatchObject({ code: "inconsistent_group_protocol" });
    await expect(one.join(joining({ protocolType: "connect" }))).rejects.toMatchObject({ code: "inconsistent_group_protocol" });
  });

  test("a group takes as many members as it may have", async () => {
    const storage = memoryStorage({ clock: systemClock });
    const parts = { storage, clock: systemClock, ids, doorbell: localDoorbell(systemClock) };
    const groups = createGroups(
      { ...parts, log: createLog({ ...parts, codecs: nodeCodecs }) },
      { initialDelayMs: 0, maxSize: 1 },
    );
    await groups.join(joining());
    await expect(groups.join(joining())).rejects.toMatchObject({ code: "group_max_size_reached" });
  });
});

describe("static members", () => {
  test("come back under a new id without a rebalance, and the old id is fenced", async () => {
    const { one } = await processes();
    const first = await one.join(joining({ instanceId: "i" }));
    const given = assignment({ t: [0, 1, 2, 3] });
    await one.sync({ group: "g", member: ref(first), assignments: [{ memberId: first.memberId, assignment: given }] });
    const back = await one.join(joining({ instanceId: "i" }));
    expect(back).toMatchObject({ generation: 1, skipAssignment: true });
    expect(back.memberId).not.toBe(first.memberId);
    const synced = await one.sync({ group: "g", member: { ...ref(back), instanceId: "i" }, assignments: [] });
    expect(Buffer.from(synced.assignment)).toEqual(given);
    const old = { ...ref(first), instanceId: "i" };
    await expect(one.heartbeat("g", old)).rejects.toMatchObject({ code: "fenced_instance_id" });
    await expect(one.sync({ group: "g", member: old, assignments: [] })).rejects.toMatchObject({ code: "fenced_instance_id" });
    await expect(
      one.commit({ group: "g", member: old, offsets: [{ topic: "t", partition: 0, offset: 1 }] }),
    ).rejects.toMatchObject({
      code: "fenced_instance_id",
    });
  });

  test("are removed by an admin by their instance id", async () => {
    const { one } = await processes();
    await one.join(joining({ instanceId: "i" }));
    const [gone, none] = await one.leave("g", [
      { memberId: "", instanceId: "i" },
      { memberId: "", instanceId: "j" },
    ]);
    expect([gone?.error, none?.error?.code]).toEqual([undefined, "unknown_member"]);
    expect(await one.describe("g")).toMatchObject({ phase: "Empty", members: [] });
  });
});

describe("leaving", () => {
  test("starts a rebalance of the others; the last one leaves the group empty, and then it can be deleted", async () => {
    const { one } = await processes();
    const first = await one.join(joining());
    const second = one.join(joining());
    await expect.poll(async () => (await one.describe("g")).members.length).toBe(2);
    const [again, other] = await Promise.all([one.join(joining({ memberId: first.memberId })), second]);
    await expect(one.delete("g")).rejects.toMatchObject({ code: "non_empty_group" });
    await one.leave("g", [{ memberId: other.memberId }]);
    await expect(one.heartbeat("g", ref(again))).rejects.toMatchObject({ code: "rebalance_in_progress" });
    await one.leave("g", [{ memberId: again.memberId }]);
    expect(await one.list()).toEqual([{ group: "g", type: "classic", phase: "Empty", protocolType: "consumer" }]);
    expect(await one.list({ phases: ["stable"] })).toEqual([]);
    const next = await one.join(joining());
    expect(next.generation).toBeGreaterThan(again.generation);
    await one.leave("g", [{ memberId: next.memberId }]);
    await one.delete("g");
    await expect(one.describe("g")).rejects.toMatchObject({ code: "unknown_group" });
  });
});
