import { expect, test } from "vitest";
import type { BatchSummary } from "../../../lib/kafka/index.ts";
import { judgeBatch } from "../../../lib/log/append/plan.ts";

function batch(epoch: number, baseSequence: number, count = 1): BatchSummary {
  return {
    at: 0,
    sizeBytes: 100,
    recordCount: count,
    maxTimestampMs: 0,
    producerId: 9,
    producerEpoch: epoch,
    baseSequence,
    lastSequence: (baseSequence + count - 1) % 2 ** 31,
    compression: "none",
    attributes: 0,
  };
}

function code(epoch: number, sequence: number, state?: { epoch: number; lastSequence: number }): string {
  const verdict = judgeBatch(batch(epoch, sequence), state && { ...state, baseOffset: 0 });
  return verdict.kind === "refused" ? verdict.error.code : verdict.kind;
}

test("a producer that nothing is known of begins with sequence 0", () => {
  expect(code(0, 0)).toBe("append");
  expect(code(0, 5)).toBe("unknown_producer");
});

test("the next sequence is appended, an earlier one is a duplicate, a later one is out of order", () => {
  expect(code(0, 8, { epoch: 0, lastSequence: 7 })).toBe("append");
  expect(code(0, 7, { epoch: 0, lastSequence: 7 })).toBe("duplicate");
  expect(code(0, 0, { epoch: 0, lastSequence: 7 })).toBe("duplicate");
  expect(code(0, 9, { epoch: 0, lastSequence: 7 })).toBe("out_of_order_sequence");
});

test("sequences wrap to 0 after 2^31 - 1", () => {
  expect(code(0, 0, { epoch: 0, lastSequence: 2 ** 31 - 1 })).toBe("append");
  expect(code(0, 1, { epoch: 0, lastSequence: 2 ** 31 - 1 })).toBe("out_of_order_sequence");
  expect(code(0, 2 ** 31 - 2, { epoch: 0, lastSequence: 3 })).toBe("duplicate");
});

test("a higher epoch begins with 0, a lower one is fenced", () => {
  expect(code(2, 0, { epoch: 1, lastSequence: 7 })).toBe("append");
  expect(code(2, 8, { epoch: 1, lastSequence: 7 })).toBe("out_of_order_sequence");
  expect(code(0, 8, { epoch: 1, lastSequence: 7 })).toBe("invalid_producer_epoch");
});
