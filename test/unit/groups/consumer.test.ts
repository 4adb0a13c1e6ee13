import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { decodeState, stateKey } from "../../../lib/groups/items/state.ts";
import type { ConsumerHeartbeatRequest } from "../../../lib/groups/types.ts";
import { classicGroup, groupsOverMemory, subscription } from "./support.ts";

/** By default. */
const SESSION_MS = 45_000;

const client = { clientId: "c", clientHost: "/127.0.0.1" };

function beatOf(memberId: string, epoch: number, more: Partial<ConsumerHeartbeatRequest> = {}): ConsumerHeartbeatRequest {
  const joining = epoch === 0 ? { rebalanceTimeoutMs: 60_000, topics: ["t"], owned: [] } : {};
  return { group: "g", memberId, epoch, client, ...joining, ...more };
}

async function bench(partitions = 4) {
  const b = groupsOverMemory();
  await b.log.createTopic({ name: "t", partitions });
  const { id } = await b.log.topic("t");
  const beat = (memberId: string, epoch: number, more?: Partial<ConsumerHeartbeatRequest>) =>
    b.groups.consumerHeartbeat(beatOf(memberId, epoch, more));
  const owned = (...partitions: number[]) => ({ owned: partitions.length === 0 ? [] : [{ topicId: id, partitions }] });
  const commit = async (memberId: string, epoch: number, partition: number) =>
    (await b.groups.commit({ group: "g", member: { memberId, epoch }, offsets: [{ topic: "t", partition, offset: 1 }] }))[0]
      ?.error?.code;
  return { ...b, id, beat, owned, commit };
}

const given = (answer: { assignment: readonly { partitions: readonly number[] }[] | undefined }) =>
  answer.assignment?.flatMap(({ partitions }) => partitions);

describe("the server assigns", () => {
  test("a member that joins gets everything, and a second one its half once the first has given it back", async () => {
    const { beat, owned, commit, groups } = await bench();
    const first = await beat("a", 0);
    expect(first).toMatchObject({ memberId: "a", epoch: 1, heartbeatIntervalMs: 5_000 });
    expect(given(first)).toEqual([0, 1, 2, 3]);
    expect(await beat("a", 1)).toMatchObject({ epoch: 1, assignment: undefined });
    const second = await beat("b", 0);
    expect([second.epoch, given(second)]).toEqual([2, []]);
    const told = await beat("a", 1, owned(0, 1, 2, 3));
    const keeps = given(told) as number[];
    expect([told.epoch, keeps.length]).toEqual([1, 2]);
    const moving = [0, 1, 2, 3].filter((p) => !keeps.includes(p));
    expect(await groups.describe("g")).toMatchObject({ phase: "Reconciling", type: "consumer", assignor: "uniform", epoch: 2 });
    // It still may commit what it is giving back, and the other may not have it yet.
    expect(await commit("a", 1, moving[0] as number)).toBeUndefined();
    expect(given(await beat("b", 2))).toBeUndefined();
    const done = await beat("a", 1, owned(...keeps));
    expect(done.epoch).toBe(2);
    expect(given(await beat("b", 2))).toEqual(moving);
    expect(await commit("a", 1, moving[0] as number)).toBe("stale_member_epoch");
    expect(await commit("a", 1, keeps[0] as number)).toBeUndefined();
    expect(await commit("b", 2, moving[0] as number)).toBeUndefined();
    expect(await groups.describe("g")).toMatchObject({ phase: "Stable", targetEpoch: 2 });
  });

  test("topics that match a regular expression, also those that come later", async () => {
    const { beat, log, clock } = await bench();
    await log.createTopic({ name: "t-2", partitions: 1 });
    const first = await beat("a", 0, { topics: undefined, regex: "t-.*" });
    expect(first.assignment?.map(({ topic }) => topic)).toEqual(["t-2"]);
    await log.createTopic({ name: "t-3", partitions: 1 });
    clock.ms += 6_000;
    const next = await beat("a", first.epoch);
    expect(next.assignment?.map(({ topic }) => topic).sort()).toEqual(["t-2", "t-3"]);
    await expect(beat("b", 0, { regex: "(" })).rejects.toMatchObject({ code: "invalid_regular_expression" });
  });

  test("partitions that a topic grows by", async () => {
    const { beat, log } = await bench(1);
    const { epoch } = await beat("a", 0);
    await log.growPartitions("t", 3);
    expect(given(await beat("a", epoch))).toEqual([0, 1, 2]);
  });
});

describe("epochs", () => {
  test("a member ahead of its group, or behind by more than a lost answer, is fenced", async () => {
    const { beat, owned } = await bench();
    await beat("a", 0);
    await expect(beat("a", 9)).rejects.toMatchObject({ code: "fenced_member_epoch" });
    await beat("a", 1, { topics: ["t", "u"] });
    // The answer with epoch 2 was lost.
    expect(await beat("a", 1, owned(0, 1))).toMatchObject({ epoch: 2 });
    await beat("a", 2, { topics: ["t"] });
    await expect(beat("a", 1)).rejects.toMatchObject({ code: "fenced_member_epoch" });
    await expect(beat("x", 2)).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("a member that is silent for a session is out, and what it had is given to the others", async () => {
    const { beat, clock } = await bench();
    await beat("a", 0);
    const second = await beat("b", 0);
    clock.ms += SESSION_MS - 1;
    expect(given(await beat("b", second.epoch))).toBeUndefined();
    clock.ms += 1;
    const after = await beat("b", second.epoch);
    expect(given(after)).toEqual([0, 1, 2, 3]);
    await expect(beat("a", 1)).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("a member that does not give back within its rebalance timeout is out", async () => {
    const { beat, owned, clock } = await bench();
    await beat("a", 0, { rebalanceTimeoutMs: 10_000 });
    const second = await beat("b", 0);
    await beat("a", 1, owned(0, 1, 2, 3));
    clock.ms += 10_000;
    expect(given(await beat("b", second.epoch))).toEqual([0, 1, 2, 3]);
  });
});

describe("static members", () => {
  test("leave for a while and come back to their partitions; meanwhile nobody gets them", async () => {
    const { beat } = await bench();
    const me = { instanceId: "i" };
    await beat("a", 0, me);
    await expect(beat("a2", 0, me)).rejects.toMatchObject({ code: "unreleased_instance_id" });
    expect(await beat("a", -2, me)).toMatchObject({ epoch: -2 });
    const back = await beat("a2", 0, me);
    expect([back.epoch, given(back)]).toEqual([1, [0, 1, 2, 3]]);
    await expect(beat("a", 1, me)).rejects.toMatchObject({ code: "fenced_instance_id" });
  });
});

describe("what is refused", () => {
  test("names what is missing", async () => {
    const { beat } = await bench();
    for (const [memberId, epoch, more] of [
      ["", 1, {}],
      ["a", -3, {}],
      ["a", -2, {}],
      ["a", 0, { rebalanceTimeoutMs: undefined }],
      ["a", 0, { topics: undefined }],
      ["a", 0, { owned: undefined }],
    ] as const) {
      await expect(beat(memberId, epoch, more)).rejects.toMatchObject({ code: "invalid_request" });
    }
    await expect(beat("a", 0, { assignor: "best" })).rejects.toMatchObject({ code: "unsupported_assignor" });
  });

  test("a group with members of the other protocol; an empty one changes its type and keeps its epoch", async () => {
    const { beat, become, storage, parts, clock } = await bench();
    await become("g", { ...classicGroup(5, ["m"]), sinceMs: clock.ms });
    await expect(beat("a", 0)).rejects.toMatchObject({ code: "unknown_group" });
    await become("g", classicGroup(5, []));
    expect(await beat("a", 0)).toMatchObject({ epoch: 6 });
    const join = {
      group: "g",
      memberId: "",
      client,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: subscription(["t"]) }],
      requireMemberId: false,
    };
    await expect(createGroups(parts).join(join)).rejects.toMatchObject({ code: "inconsistent_group_protocol" });
    await beat("a", -1);
    expect((await createGroups(parts, { initialDelayMs: 0 }).join(join)).generation).toBe(8);
    expect(decodeState(await storage.table.get(stateKey("g")))?.state.type).toBe("classic");
  });
});

test("property: no partition has two owners, only its owner can commit it, and the group comes to rest with everything owned", async () => {
  const step = fc.record({
    who: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom("beat", "beat", "beat", "give", "leave", "crash"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { groups, id, storage, clock } = await bench(5);
      // What each member believes to have, as it was last told.
      const members = new Map<string, { epoch: number; has: readonly number[] }>();
      const doBeat = async (name: string) => {
        const me = members.get(name);
        try {
          const answer = await groups.consumerHeartbeat(
            me === undefined ? beatOf(name, 0) : beatOf(name, me.epoch, { owned: [{ topicId: id, partitions: me.has }] }),
          );
          members.set(name, { epoch: answer.epoch, has: given(answer) ?? me?.has ?? [] });
        } catch {
          members.delete(name);
        }
      };
      for (const { who, what } of steps) {
        const name = `m${who}`;
        if (what === "crash") {
          members.delete(name);
          clock.ms += SESSION_MS / 3;
        } else if (what === "leave") {
          const me = members.get(name);
          members.delete(name);
          if (me !== undefined) await groups.consumerHeartbeat(beatOf(name, -1)).catch(() => undefined);
        } else await doBeat(name);
        const state = decodeState(await storage.table.get(stateKey("g")))?.state;
        if (state?.type !== "consumer") continue;
        const all = Object.values(state.members).flatMap(({ assigned, revoking }) => [
          ...Object.keys(assigned[id] ?? {}),
          ...Object.keys(revoking[id] ?? {}),
        ]);
        expect(new Set(all).size).toBe(all.length);
        for (let p = 0; p < 5; p++) {
          const able: string[] = [];
          for (const [memberId, { epoch, has }] of members) {
            if (!has.includes(p)) continue;
            const [answer] = await groups
              .commit({ group: "g", member: { memberId, epoch }, offsets: [{ topic: "t", partition: p, offset: 1 }] })
              .catch((error) => [{ error }]);
            if (answer?.error === undefined) able.push(memberId);
          }
          expect(able.length).toBeLessThanOrEqual(1);
        }
      }
      if (members.size === 0) return;
      clock.ms += SESSION_MS;
      for (let round = 0; round < 8; round++) for (const name of [...members.keys()]) await doBeat(name);
      const has = [...members.values()].flatMap((one) => one.has).sort();
      if (members.size > 0) expect(has).toEqual([0, 1, 2, 3, 4]);
    }),
    { numRuns: 60 },
  );
}, 30_000);
