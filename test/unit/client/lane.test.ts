import { beforeEach, expect, test } from "vitest";
import { BrokerlessError, type ErrorCode, type Outcome } from "../../../lib/client/index.ts";
import type { Batch } from "../../../lib/client/producer/batch.ts";
import { Lane } from "../../../lib/client/producer/lane.ts";
import type { Appended } from "../../../lib/client/producer/types.ts";
import { readBatchHeader } from "../../../lib/kafka/index.ts";

/** An attempt that waits to be answered. */
interface Attempt {
  readonly value: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  written(): void;
  fails(code: ErrorCode, outcome: Outcome): void;
}

let attempts: Attempt[];
let told: Record<string, string>;
let lane: Lane;

beforeEach(() => {
  attempts = [];
  told = {};
  lane = laneWith(1);
});

function laneWith(batchSizeBytes: number): Lane {
  return new Lane("t", 0, {
    idempotent: true,
    lingerMs: 0,
    batchSizeBytes,
    maxInFlight: 5,
    deliveryTimeoutMs: 60_000,
    encoding: { compression: "none", codecs: {} },
    retry: { minMs: 0, maxMs: 0 },
    send: (batch: Batch) =>
      new Promise<Appended>((resolve, reject) => {
        const header = readBatchHeader(batch.bytes, 0);
        attempts.push({
          value: String.fromCharCode(batch.bytes.at(-2) as number),
          epoch: header.producerEpoch,
          sequence: header.baseSequence,
          bytes: batch.bytes,
          written: () => resolve({ baseOffset: 0, logAppendTimeMs: undefined, duplicate: false }),
          fails: (code, outcome) => reject(new BrokerlessError(code, code, { outcome })),
        });
      }),
    identify: async () => ({ producerId: 7, producerEpoch: 0 }),
    settled: () => {},
  });
}

/** Gives records of one letter each, one a batch, and waits until they are sent. */
async function send(letters: string): Promise<void> {
  for (const letter of letters) {
    const value = new TextEncoder().encode(letter);
    lane.add({
      topic: "t",
      key: null,
      value,
      headers: undefined,
      partition: 0,
      timestampMs: 1,
      sizeBytes: 50,
      index: 0,
      completion: {
        written: () => {
          told[letter] = "written";
        },
        failed: (_, error) => {
          told[letter] = (error as BrokerlessError).outcome;
        },
      },
    });
  }
  await settle();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2));
}

function sent(): string[] {
  return attempts.map(({ value, epoch, sequence }) => `${value}@${epoch}:${sequence}`);
}

test("batches get the sequences of their records, one after the other", async () => {
  await send("abc");
  expect(sent()).toEqual(["a@0:0", "b@0:1", "c@0:2"]);
});

test("what may have been written is sent again as the very same bytes, though one behind it failed for good", async () => {
  await send("abc");
  attempts[1]?.fails("invalid_record", "not_applied");
  attempts[2]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  attempts[0]?.fails("outcome_unknown", "unknown");
  await settle();
  expect(sent()).toEqual(["a@0:0", "b@0:1", "c@0:2", "a@0:0"]);
  expect(attempts[3]?.bytes).toBe(attempts[0]?.bytes);
  attempts[3]?.written();
  await settle();
  expect(sent().slice(4)).toEqual(["c@1:0"]);
  attempts[4]?.written();
  await settle();
  expect(told).toEqual({ a: "written", b: "not_applied", c: "written" });
});

test("nothing is numbered again while it is under way", async () => {
  await send("abc");
  attempts[0]?.fails("invalid_record", "not_applied");
  attempts[1]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  await send("d");
  expect(sent()).toEqual(["a@0:0", "b@0:1", "c@0:2"]);
  attempts[2]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  expect(sent().slice(3)).toEqual(["b@1:0", "c@1:1", "d@1:2"]);
});

test("a batch that overtook another waits for it and goes again under its number", async () => {
  await send("ab");
  attempts[1]?.fails("unknown_producer", "not_applied");
  await settle();
  expect(sent()).toHaveLength(2);
  attempts[0]?.written();
  await settle();
  expect(sent().slice(2)).toEqual(["b@0:1"]);
});

test("after one that was given up in doubt, those behind keep their numbers until they are answered", async () => {
  await send("abc");
  attempts[0]?.fails("outcome_unknown", "applied");
  await settle();
  expect(sent().slice(3)).toEqual(["a@0:0"]);
  // In doubt, and then refused for good: nobody knows what became of it.
  attempts[3]?.fails("unknown_topic", "not_applied");
  await settle();
  expect(told).toEqual({ a: "unknown" });
  attempts[1]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  // It was sent first behind another: it goes once more, now as the first.
  expect(sent().slice(4)).toEqual(["b@0:1"]);
  attempts[4]?.fails("out_of_order_sequence", "not_applied");
  attempts[2]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  expect(sent().slice(5)).toEqual(["b@1:0", "c@1:1"]);
});

test("the next batch after one in doubt begins a new epoch, so that the late one is refused", async () => {
  await send("a");
  attempts[0]?.fails("outcome_unknown", "unknown");
  await settle();
  attempts[1]?.fails("forbidden", "not_applied");
  await settle();
  await send("b");
  expect(told).toEqual({ a: "unknown" });
  expect(sent().slice(2)).toEqual(["b@1:0"]);
});

test("a gap that nothing explains fails the batch and is not papered over", async () => {
  await send("a");
  attempts[0]?.fails("out_of_order_sequence", "not_applied");
  await settle();
  expect(told).toEqual({ a: "not_applied" });
});

test("flush waits for the halves of a batch that was too large", async () => {
  lane = laneWith(1000);
  await send("ab");
  const flushed = lane.flush().then(() => {
    told["flush"] = "done";
  });
  attempts[0]?.fails("record_too_large", "not_applied");
  await settle();
  expect(sent().slice(1)).toEqual(["a@1:0", "b@1:1"]);
  attempts[1]?.written();
  await settle();
  expect(told).toEqual({ a: "written" });
  attempts[2]?.written();
  await flushed;
  expect(told).toEqual({ a: "written", b: "written", flush: "done" });
});
