import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { join } from "../../../lib/groups/classic/join.ts";
import { prepare, tick, without } from "../../../lib/groups/classic/machine.ts";
import { leave, sync } from "../../../lib/groups/classic/sync.ts";
import { type ClassicMember, type ClassicState, decodeState, newState } from "../../../lib/groups/items/state.ts";
import { emptyGroup } from "../../../lib/groups/new-group.ts";
import type { JoinRequest } from "../../../lib/groups/types.ts";
import { classicGroup } from "./support.ts";

const NOBODY = new Map<string, number>();
const RULES = { initialDelayMs: 0, maxSize: 100 };

function request(memberId: string, protocols: readonly string[] = ["range"], more: Partial<JoinRequest> = {}): JoinRequest {
  return {
    group: "g",
    memberId,
    client: { clientId: "c", clientHost: "h" },
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: "consumer",
    protocols: protocols.map((name) => ({ name, metadata: new Uint8Array([1]) })),
    requireMemberId: false,
    ...more,
  };
}

function joined(state: ClassicState, id: string, nowMs: number, protocols?: readonly string[]): ClassicState {
  return join(state, request(state.members[id] === undefined ? "" : id, protocols), id, false, RULES, nowMs).state ?? state;
}

describe("time", () => {
  test("removes a member that was silent for its session, and the others rebalance", () => {
    const state = classicGroup(4, ["a", "b"]);
    expect(
      tick(
        state,
        new Map([
          ["a", 5_000],
          ["b", 5_000],
        ]),
        14_999,
      ),
    ).toBe(state);
    const after = tick(
      state,
      new Map([
        ["a", 6_000],
        ["b", 5_000],
      ]),
      15_000,
    );
    expect(after).toMatchObject({ phase: "PreparingRebalance", epoch: 4 });
    expect(Object.keys(after.members)).toEqual(["a"]);
  });

  test("does not remove a member that has joined and waits, until the rebalance ends without the others", () => {
    const preparing = joined(prepare(classicGroup(4, ["a", "b"]), 0, 0), "a", 0);
    const alive = new Map([["b", 55_000]]);
    expect(tick(preparing, alive, 59_999).phase).toBe("PreparingRebalance");
    const after = tick(preparing, alive, 60_000);
    expect(after).toMatchObject({ phase: "CompletingRebalance", epoch: 5, leader: "a" });
    expect(Object.keys(after.members)).toEqual(["a"]);
  });

  test("removes a leader that never sends its assignment", () => {
    const state: ClassicState = { ...classicGroup(4, ["a", "b"]), phase: "CompletingRebalance", deadlineMs: 60_000 };
    const alive = new Map([
      ["a", 59_000],
      ["b", 59_000],
    ]);
    expect(tick(state, alive, 59_999)).toBe(state);
    const after = tick(state, alive, 60_000);
    expect(after.phase).toBe("PreparingRebalance");
    expect(Object.keys(after.members)).toEqual(["b"]);
  });

  test("keeps a static member that has not joined yet until its session is over", () => {
    const state = classicGroup(4, ["a", "s"]);
    const members = {
      ...state.members,
      s: { ...(state.members["s"] as ClassicMember), instanceId: "i", sessionTimeoutMs: 100_000 },
    };
    const after = tick(joined(prepare({ ...state, members }, 0, 0), "a", 0), NOBODY, 60_000);
    expect(after).toMatchObject({ phase: "CompletingRebalance", epoch: 5 });
    expect(Object.keys(after.members)).toEqual(["a", "s"]);
  });

  test("an emptied group goes to a later generation, so that late commits are refused", () => {
    expect(without(classicGroup(4, ["a"]), ["a"], 7)).toMatchObject({ phase: "Empty", epoch: 5, sinceMs: 7, leader: undefined });
  });
});

describe("protocols", () => {
  test("the one that most members like best of those that all know is chosen", () => {
    let state = emptyGroup(0, 0);
    const slow = { ...RULES, initialDelayMs: 1_000 };
    for (const [id, protocols] of [
      ["a", ["x", "y", "z"]],
      ["b", ["z", "y"]],
      ["c", ["y", "z"]],
      ["d", ["z", "y", "x"]],
    ] as const) {
      state = join(state, request("", protocols), id, false, slow, 0).state ?? state;
    }
    expect(tick(state, NOBODY, 1_000)).toMatchObject({ phase: "CompletingRebalance", protocol: "y" });
  });
});

describe("joining again", () => {
  test("with the same words is answered without a rebalance, save by the leader of a stable group", () => {
    const state: ClassicState = { ...classicGroup(4, ["a", "b"]) };
    const same = (id: string) => request(id, [], { protocols: (state.members[id] as ClassicMember).protocols });
    expect(join(state, same("b"), "", false, RULES, 0)).toMatchObject({ kind: "answer", state: undefined });
    expect(join(state, same("a"), "", false, RULES, 0)).toMatchObject({ kind: "wait", state: { phase: "PreparingRebalance" } });
    expect(join({ ...state, phase: "CompletingRebalance" }, same("a"), "", false, RULES, 0)).toMatchObject({ kind: "answer" });
  });
});

test("a state is read back as it was written", () => {
  const state = classicGroup(4, ["a", "b"], ["t"]);
  expect(decodeState(newState("g", state, 7).item)).toEqual({ state, version: 7, born: 7 });
});

test("property: generations only grow, a generation has the members that joined it, and only its leader's assignment is taken", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("join" as const), who: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ do: fc.constant("sync" as const), who: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ do: fc.constant("leave" as const), who: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ do: fc.constant("time" as const), who: fc.integer({ min: 1, max: 30_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = emptyGroup(0, 0);
      let nowMs = 0;
      let epoch = 0;
      const heard = new Map<string, number>();
      for (const { do: what, who } of steps) {
        const id = `m${who}`;
        if (what === "time") nowMs += who;
        state = tick(state, heard, nowMs);
        if (what !== "time") heard.set(id, nowMs);
        if (what === "join") state = joined(state, id, nowMs);
        if (what === "leave") state = leave(state, "g", [{ memberId: id }], nowMs).state;
        if (what === "sync" && state.members[id] !== undefined && state.phase !== "PreparingRebalance") {
          const assignments = Object.keys(state.members).map((memberId) => ({ memberId, assignment: new Uint8Array([who]) }));
          const one = sync(state, { group: "g", member: { memberId: id, epoch: state.epoch }, assignments }, nowMs);
          expect(one.kind === "store").toBe(state.phase === "CompletingRebalance" && state.leader === id);
          if (one.kind === "store") state = one.state;
        }
        expect(state.epoch).toBeGreaterThanOrEqual(epoch);
        epoch = state.epoch;
        const members = Object.values(state.members);
        expect(members.length === 0).toBe(state.phase === "Empty");
        if (state.phase === "CompletingRebalance" || state.phase === "Stable") {
          expect(members.every((one) => one.joined)).toBe(true);
          expect(Object.keys(state.members)).toContain(state.leader);
          expect(state.protocol).toBe("range");
        }
      }
      // Left alone, every group comes to rest without members.
      for (let i = 0; i < 20 && state.phase !== "Empty"; i++) {
        nowMs += 100_000;
        state = tick(state, heard, nowMs);
      }
      expect(state.phase).toBe("Empty");
    }),
    { numRuns: 300 },
  );
});
