import { describe, expect, test } from "vitest";
import { decide, type Incident, type NotifyRules, pauseAfterMs } from "../../../../lib/lag/notify/decide.ts";

const RULES: NotifyRules = { threshold: "WARN", sendIntervalMs: 600_000, sendOnce: false, sendClose: true };
const TOLD: Incident = {
  id: "i",
  openedAtMs: 1000,
  sequence: 1,
  kind: "open",
  status: "WARN",
  attempts: 1,
  confirmedAtMs: 2000,
  untilMs: 0,
};
const CLAIMED: Incident = { ...TOLD, confirmedAtMs: undefined, untilMs: 120_000 };

describe("a group of which nothing was told", () => {
  test("is told of from the threshold on", () => {
    const opened = { kind: "open", sequence: 1, attempts: 1, isNew: true };
    expect(decide(undefined, "OK", RULES, 0)).toBe("nothing");
    expect(decide(undefined, "NOTFOUND", RULES, 0)).toBe("nothing");
    expect(decide(undefined, "WARN", RULES, 0)).toEqual(opened);
    expect(decide(undefined, "WARN", { ...RULES, threshold: "ERR" }, 0)).toBe("nothing");
    expect(decide(undefined, "ERR", { ...RULES, threshold: "ERR" }, 0)).toEqual(opened);
  });

  test("begins another incident after one that is over", () => {
    expect(decide({ ...TOLD, kind: "close", sequence: 4 }, "ERR", RULES, 5000)).toMatchObject({ sequence: 1, isNew: true });
    expect(decide({ ...TOLD, kind: "close", sequence: 4 }, "OK", RULES, 5000)).toBe("nothing");
  });
});

describe("an incident that was told", () => {
  test("is told again after the interval, and not before", () => {
    expect(decide(TOLD, "WARN", RULES, 601_999)).toBe("nothing");
    expect(decide(TOLD, "WARN", RULES, 602_000)).toMatchObject({ kind: "repeat", sequence: 2, isNew: false });
  });

  test("is told at once when it gets worse, and not when it gets less bad", () => {
    expect(decide(TOLD, "ERR", RULES, 3000)).toMatchObject({ kind: "worse", sequence: 2 });
    expect(decide({ ...TOLD, status: "ERR" }, "WARN", RULES, 3000)).toBe("nothing");
  });

  test("is told once where that is wanted, and its end all the same", () => {
    const once = { ...RULES, sendOnce: true };
    expect(decide(TOLD, "ERR", once, 9_000_000)).toBe("nothing");
    expect(decide(TOLD, "OK", once, 9_000_000)).toMatchObject({ kind: "close", sequence: 2 });
  });

  test("ends when the group is well, below the threshold or gone, silently where that is wanted", () => {
    for (const status of ["OK", "NOTFOUND"] as const)
      expect(decide(TOLD, status, RULES, 3000)).toMatchObject({ kind: "close", sequence: 2, isNew: false });
    expect(decide({ ...TOLD, status: "ERR" }, "WARN", { ...RULES, threshold: "ERR" }, 3000)).toMatchObject({ kind: "close" });
    expect(decide(TOLD, "OK", { ...RULES, sendClose: false }, 3000)).toBe("end");
  });
});

describe("an event that was claimed and is not confirmed", () => {
  test("is left alone until its lease is over, whatever the group does", () => {
    for (const status of ["OK", "WARN", "ERR"] as const) expect(decide(CLAIMED, status, RULES, 119_999)).toBe("nothing");
  });

  test("is sent again then, as the same event", () => {
    expect(decide(CLAIMED, "WARN", RULES, 120_000)).toEqual({ kind: "open", sequence: 1, attempts: 2, isNew: false });
    expect(decide({ ...CLAIMED, kind: "close", sequence: 3 }, "OK", RULES, 120_000)).toMatchObject({
      kind: "close",
      sequence: 3,
    });
  });

  test("gives way to the end of its incident", () => {
    expect(decide(CLAIMED, "OK", RULES, 120_000)).toMatchObject({ kind: "close", sequence: 2 });
  });

  test("and is a close, goes on as the same incident where the group is bad again", () => {
    const closing: Incident = { ...CLAIMED, kind: "close", sequence: 3 };
    expect(decide(closing, "ERR", RULES, 120_000)).toEqual({ kind: "open", sequence: 4, attempts: 1, isNew: false });
  });

  test("and is a close that nobody takes, is given up in the end", () => {
    expect(decide({ ...CLAIMED, kind: "close", attempts: 49 }, "OK", RULES, 120_000)).toMatchObject({ attempts: 50 });
    expect(decide({ ...CLAIMED, kind: "close", attempts: 50 }, "OK", RULES, 120_000)).toBe("end");
  });
});

test("pauses double from ten seconds to ten minutes", () => {
  expect([1, 2, 3, 6, 7, 50].map(pauseAfterMs)).toEqual([10_000, 20_000, 40_000, 320_000, 600_000, 600_000]);
});
