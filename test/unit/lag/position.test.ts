import { expect, test } from "vitest";
import { ULID_ZERO } from "../../../lib/base/ulid.ts";
import { positionOf } from "../../../lib/lag/position.ts";
import { timeLag } from "../../../lib/lag/time.ts";
import { decodeHead, emptyHead, type Head } from "../../../lib/log/items/head.ts";
import { packRef } from "../../../lib/log/items/ref.ts";

test("records between commit and end are behind; those below the log start are lost", () => {
  const log = { start: 100, next: 150 };
  expect(positionOf(120, log)).toEqual({ lag: 30, lostRecords: 0, beyondEnd: 0 });
  expect(positionOf(40, log)).toEqual({ lag: 110, lostRecords: 60, beyondEnd: 0 });
  expect(positionOf(150, log)).toEqual({ lag: 0, lostRecords: 0, beyondEnd: 0 });
  expect(positionOf(151, log)).toEqual({ lag: 0, lostRecords: 0, beyondEnd: 1 });
});

/** Ten records a ref, the first at 100. */
function headOf(...maxTimestampsMs: number[]): Head {
  const tail = maxTimestampsMs.map((maxTimestampMs) =>
    packRef({
      blobId: ULID_ZERO,
      place: 0,
      claimed: false,
      shared: false,
      positionBytes: 0,
      sizeBytes: 1,
      recordCount: 10,
      maxTimestampMs,
    }),
  );
  return { ...decodeHead(emptyHead()), tailBase: 100, next: 100 + tail.length * 10, tail };
}

test("the time lag is exact where the first unread record was read, and nothing at the end", () => {
  expect(timeLag(105, headOf(50_000), 40_000, 100_000)).toEqual({ seconds: 60, precision: "exact" });
  expect(timeLag(110, headOf(50_000), undefined, 100_000)).toEqual({ seconds: 0, precision: "exact" });
  // A clock ahead of ours, and a record without a time.
  expect(timeLag(105, headOf(50_000), 200_000, 100_000).seconds).toBe(0);
  expect(timeLag(105, headOf(50_000), -1, 100_000).seconds).toBe(0);
});

test("else the head tells a bound: the record is not younger than the youngest of its ref", () => {
  const head = headOf(50_000, 70_000, 80_000);
  expect(timeLag(109, head, undefined, 100_000)).toEqual({ seconds: 50, precision: "at_least" });
  expect(timeLag(110, head, undefined, 100_000)).toEqual({ seconds: 30, precision: "at_least" });
  // Before the tail: older than all of it.
  expect(timeLag(7, head, undefined, 100_000)).toEqual({ seconds: 50, precision: "at_least" });
  expect(timeLag(7, { ...head, tail: [], tailBase: 130 }, undefined, 100_000)).toEqual({ seconds: 0, precision: "at_least" });
});
