/** Every transition of a transactional id. */
import { describe, expect, test } from "vitest";
import {
  aborting,
  add,
  completed,
  end,
  initProducer,
  isOverdue,
  type Phase,
  type Step,
  type TransactionState,
  verify,
} from "../../../lib/transactions/machine.ts";

const NOW = 1_000_000;
const LAST = 2 ** 15 - 2;

function state(phase: Phase, more: Partial<TransactionState> = {}): TransactionState {
  const open = phase === "Ongoing" || phase.startsWith("Prepare");
  return {
    producerId: 5,
    epoch: 3,
    lastEpoch: -1,
    previousProducerId: -1,
    phase,
    number: 1,
    timeoutMs: 60_000,
    startedMs: open ? NOW - 10 : -1,
    updatedMs: NOW - 10,
    partitions: open ? ["a#0"] : [],
    groups: [],
    ...more,
  };
}

const WHO = { producerId: 5, epoch: 3 };

function told(step: Step): unknown {
  if (step.kind === "refused") return step.error.code;
  if (step.kind !== "put") return step.kind;
  const { phase, producerId, epoch } = step.state;
  return [phase, producerId, epoch];
}

describe("a producer begins", () => {
  const init = (before: TransactionState | undefined, expected?: { producerId: number; epoch: number }, freshId?: number) =>
    told(initProducer(before, 60_000, expected, freshId, NOW));

  test("with a new id where there is none", () => {
    expect(init(undefined)).toBe("fresh");
    expect(init(undefined, undefined, 9)).toEqual(["Empty", 9, 0]);
  });

  test.each(["Empty", "CompleteCommit", "CompleteAbort"] as const)("with the next epoch from %s", (phase) => {
    expect(init(state(phase))).toEqual(["Empty", 5, 4]);
  });

  test("after the transaction before it is ended, or aborted under an epoch that nobody has", () => {
    expect(init(state("PrepareCommit"))).toBe("complete");
    expect(init(state("PrepareAbort"))).toBe("complete");
    expect(init(state("Ongoing"))).toEqual(["PrepareAbort", 5, 4]);
  });

  test("as who it says it is, and is answered alike where the answer was lost", () => {
    expect(init(state("Empty"), WHO)).toEqual(["Empty", 5, 4]);
    expect(init(state("Empty", { epoch: 4, lastEpoch: 3 }), WHO)).toBe("same");
    expect(init(state("Empty"), { producerId: 5, epoch: 2 })).toBe("producer_fenced");
    expect(init(state("Ongoing"), { producerId: 6, epoch: 3 })).toBe("producer_fenced");
  });

  test("with another producer id where the epochs are used up", () => {
    expect(init(state("Empty", { epoch: LAST }))).toBe("fresh");
    expect(init(state("Empty", { epoch: LAST }), undefined, 9)).toEqual(["Empty", 9, 0]);
  });
});

describe("partitions and groups", () => {
  const adds = (before: TransactionState | undefined, who = WHO, partitions = ["a#0", "b#1"]) =>
    add(before, who, { partitions }, NOW);

  test.each(["Empty", "CompleteCommit", "CompleteAbort"] as const)("begin a transaction from %s", (phase) => {
    const step = adds(state(phase));
    expect(step).toMatchObject({
      kind: "put",
      state: { phase: "Ongoing", number: 2, startedMs: NOW, partitions: ["a#0", "b#1"], groups: [] },
    });
  });

  test("are added to one that is open, and change nothing where they are in it", () => {
    expect(adds(state("Ongoing"))).toMatchObject({
      kind: "put",
      state: { number: 1, partitions: ["a#0", "b#1"], startedMs: NOW - 10 },
    });
    expect(told(adds(state("Ongoing"), WHO, ["a#0"]))).toBe("same");
    expect(add(state("Ongoing"), WHO, { groups: ["g"] }, NOW)).toMatchObject({ state: { groups: ["g"], partitions: ["a#0"] } });
  });

  test("wait for the end of the one before, and are refused to others", () => {
    expect(told(adds(state("PrepareCommit")))).toBe("complete");
    expect(told(adds(undefined))).toBe("invalid_producer_id_mapping");
    expect(told(adds(state("Empty"), { producerId: 6, epoch: 3 }))).toBe("invalid_producer_id_mapping");
    expect(told(adds(state("Empty"), { producerId: 5, epoch: 2 }))).toBe("producer_fenced");
  });

  test("are limited", () => {
    const many = Array.from({ length: 10_001 }, (_, i) => `a#${i}`);
    expect(told(adds(state("Ongoing"), WHO, many))).toBe("transaction_abortable");
  });

  test("are found in the open transaction or not", () => {
    const has = (before: TransactionState | undefined, what: Parameters<typeof verify>[2]) => told(verify(before, WHO, what));
    expect(has(state("Ongoing", { groups: ["g"] }), { partitions: ["a#0"], group: "g" })).toBe("same");
    expect(has(state("Ongoing"), { partitions: ["b#0"] })).toBe("invalid_txn_state");
    expect(has(state("Ongoing"), { group: "g" })).toBe("invalid_txn_state");
    expect(has(state("CompleteCommit"), { partitions: ["a#0"] })).toBe("invalid_txn_state");
    expect(has(state("PrepareAbort"), { partitions: ["a#0"] })).toBe("complete");
  });
});

describe("an end", () => {
  const ends = (before: TransactionState | undefined, commit: boolean, bumps = false, who = WHO, freshId?: number) =>
    told(end(before, who, commit, bumps, freshId, NOW));

  test("of the first version of the protocol keeps the epoch, and is answered alike again", () => {
    expect(ends(state("Ongoing"), true)).toEqual(["PrepareCommit", 5, 3]);
    expect(ends(state("Ongoing"), false)).toEqual(["PrepareAbort", 5, 3]);
    expect([ends(state("PrepareCommit"), true), ends(state("PrepareCommit"), false)]).toEqual(["complete", "invalid_txn_state"]);
    expect([ends(state("CompleteCommit"), true), ends(state("CompleteCommit"), false)]).toEqual(["same", "invalid_txn_state"]);
    expect([ends(state("CompleteAbort"), true), ends(state("CompleteAbort"), false)]).toEqual(["invalid_txn_state", "same"]);
    expect(ends(state("Empty"), true)).toBe("invalid_txn_state");
    expect(ends(state("Ongoing"), true, false, { producerId: 5, epoch: 2 })).toBe("producer_fenced");
    expect(ends(undefined, true)).toBe("invalid_producer_id_mapping");
  });

  test("of the second version takes the next epoch, and is answered alike to the epoch before", () => {
    expect(ends(state("Ongoing"), true, true)).toEqual(["PrepareCommit", 5, 4]);
    const ended = (phase: Phase) => state(phase, { epoch: 4, lastEpoch: 3 });
    expect([ends(ended("PrepareCommit"), true, true), ends(ended("PrepareCommit"), false, true)]).toEqual([
      "complete",
      "invalid_txn_state",
    ]);
    expect([ends(ended("CompleteCommit"), true, true), ends(ended("CompleteCommit"), false, true)]).toEqual([
      "same",
      "invalid_txn_state",
    ]);
    expect([ends(ended("CompleteAbort"), false, true), ends(ended("CompleteAbort"), true, true)]).toEqual([
      "same",
      "invalid_txn_state",
    ]);
    expect(ends(ended("Ongoing"), true, true)).toBe("invalid_txn_state");
  });

  test("of the second version may abort what was never begun", () => {
    for (const phase of ["Empty", "CompleteCommit", "CompleteAbort"] as const) {
      expect(ends(state(phase), false, true)).toEqual(["PrepareAbort", 5, 4]);
      expect(ends(state(phase), true, true)).toBe("invalid_txn_state");
    }
  });

  test("with the last epoch goes on with another producer id", () => {
    const before = state("Ongoing", { epoch: LAST });
    expect(ends(before, true, true, { producerId: 5, epoch: LAST })).toBe("fresh");
    const step = end(before, { producerId: 5, epoch: LAST }, true, true, 9, NOW);
    expect(told(step)).toEqual(["PrepareCommit", 5, LAST + 1]);
    const renewed = completed((step as { state: TransactionState }).state, NOW);
    expect(renewed).toMatchObject({ phase: "CompleteCommit", producerId: 9, epoch: 0, previousProducerId: 5 });
    expect(ends(renewed, true, true, { producerId: 5, epoch: LAST })).toBe("same");
  });

  test("leaves nothing of the transaction behind", () => {
    expect(completed(state("PrepareAbort"), NOW)).toMatchObject({
      phase: "CompleteAbort",
      partitions: [],
      startedMs: -1,
      epoch: 3,
    });
  });
});

test("what takes too long is aborted under an epoch that nobody has", () => {
  const open = state("Ongoing", { startedMs: NOW - 60_001 });
  expect([isOverdue(open, NOW), isOverdue(open, NOW - 1), isOverdue(state("PrepareCommit", { startedMs: 0 }), NOW)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(aborting(open, NOW)).toMatchObject({ phase: "PrepareAbort", epoch: 4, lastEpoch: -1 });
});
