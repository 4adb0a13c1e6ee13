import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INDEX_ENTRIES_MOST, IndexBuilder, offsetOfTime, positionsAround } from "../../../lib/log/items/segment-index.ts";

interface Batch {
  readonly offset: number;
  readonly at: number;
  readonly sizeBytes: number;
  readonly timestampMs: number;
}

const steps = fc.array(
  fc.record({
    records: fc.integer({ min: 1, max: 9 }),
    hole: fc.constantFrom(0, 0, 0, 5),
    sizeBytes: fc.integer({ min: 61, max: 90_000 }),
    timestampMs: fc.integer({ min: -1, max: 2 ** 43 }),
  }),
  { minLength: 1, maxLength: 60 },
);

function lay(all: readonly { records: number; hole: number; sizeBytes: number; timestampMs: number }[], base: number) {
  let at = 0;
  let offset = base;
  const batches = all.map(({ records, hole, sizeBytes, timestampMs }): Batch => {
    const batch = { offset: offset + hole, at, sizeBytes, timestampMs };
    offset += hole + records;
    at += sizeBytes;
    return batch;
  });
  return { batches, sizeBytes: at, end: offset };
}

function indexed(batches: readonly Batch[], base: number) {
  const builder = new IndexBuilder(base);
  for (const { offset, at, timestampMs } of batches) builder.add(offset, at, timestampMs);
  return { base, index: builder.bytes(), maxTimestampMs: builder.maxTimestampMs };
}

function check(batches: readonly Batch[], segment: ReturnType<typeof indexed> & { sizeBytes: number }): void {
  for (const [i, batch] of batches.entries()) {
    for (const offset of [batch.offset, batch.offset - 1]) {
      if (offset < segment.base) continue;
      const holder = offset === batch.offset ? i : Math.max(0, offset <= (batches[i - 1]?.offset ?? -1) ? i - 1 : i);
      const { from, to } = positionsAround(segment, offset);
      // The batch that holds the offset, or the one before the hole that it is in, is not skipped.
      expect(from).toBeLessThanOrEqual((batches[holder] as Batch).at);
      expect(to).toBeGreaterThanOrEqual(offset === batch.offset ? from + 1 : from);
      if (offset === batch.offset) expect(to).toBeGreaterThan(batch.at);
    }
    const first = batches.find(({ timestampMs }) => timestampMs >= batch.timestampMs) as Batch;
    expect(offsetOfTime(segment, batch.timestampMs)).toBeLessThanOrEqual(Math.max(first.offset, segment.base));
  }
  expect(segment.maxTimestampMs).toBe(Math.max(...batches.map(({ timestampMs }) => timestampMs)));
}

describe("the sparse index of a segment", () => {
  test("leads to every batch, by offset and by time, holes or not", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { batches, sizeBytes } = lay(all, 1000);
        check(batches, { ...indexed(batches, 1000), sizeBytes });
      }),
      { numRuns: 200 },
    );
  });

  test("joined of several segments leads to every batch of the whole", () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 6 }), (parts) => {
        const whole = new IndexBuilder(0);
        const batches: Batch[] = [];
        let base = 0;
        let position = 0;
        for (const part of parts) {
          const laid = lay(part, base);
          whole.join(indexed(laid.batches, base), position);
          batches.push(...laid.batches.map((batch) => ({ ...batch, at: batch.at + position })));
          base = laid.end;
          position += laid.sizeBytes;
        }
        check(batches, { base: 0, index: whole.bytes(), maxTimestampMs: whole.maxTimestampMs, sizeBytes: position });
      }),
      { numRuns: 100 },
    );
  });

  test("stays small however large the segment is", () => {
    const builder = new IndexBuilder(0);
    for (let i = 0; i < 40_000; i++) builder.add(i * 3, i * 50_000, i);
    expect(builder.bytes().byteLength).toBeLessThanOrEqual(INDEX_ENTRIES_MOST * 14);
    const segment = { base: 0, index: builder.bytes(), sizeBytes: 40_000 * 50_000 };
    for (let i = 0; i < 40_000; i += 777) {
      const { from, to } = positionsAround(segment, i * 3 + 1);
      expect(from).toBeLessThanOrEqual(i * 50_000);
      expect(to).toBeGreaterThan(i * 50_000);
      expect(to - from).toBeLessThan(2 * 2 ** 20);
    }
  });
});
