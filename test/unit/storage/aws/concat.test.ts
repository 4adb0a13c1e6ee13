import fc from "fast-check";
import { expect, test } from "vitest";
import { PART_LEAST_BYTES, type Part, type Piece, planConcat } from "../../../../lib/storage/aws/concat.ts";

const MIB = 2 ** 20;

function pieces(part: Part): readonly Piece[] {
  return "copy" in part ? [part.copy] : part.upload;
}

function sizeOf(part: Part): number {
  return pieces(part).reduce((sum, { from, to }) => sum + to - from, 0);
}

const size = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 12 * MIB }),
  fc.constantFrom(PART_LEAST_BYTES - 1, PART_LEAST_BYTES),
  fc.integer({ min: 1, max: 6000 * MIB }),
);

test("every byte is in one part, in order; every part but the last is large enough; memory stays small", () => {
  fc.assert(
    fc.property(fc.array(size, { maxLength: 12 }), (sizes) => {
      const parts = planConcat(sizes);
      const covered: [number, number, number][] = parts.flatMap(pieces).map(({ source, from, to }) => [source, from, to]);
      let [source, at] = [0, 0];
      for (const [of, from, to] of covered) {
        while (source < of) {
          expect(at).toBe(sizes[source]);
          source++;
          at = 0;
        }
        expect([of, from]).toEqual([source, at]);
        expect(to).toBeGreaterThan(from);
        at = to;
      }
      expect(covered.reduce((sum, [, from, to]) => sum + to - from, 0)).toBe(sizes.reduce((sum, one) => sum + one, 0));
      for (const [i, part] of parts.entries()) {
        if (i < parts.length - 1) expect(sizeOf(part)).toBeGreaterThanOrEqual(PART_LEAST_BYTES);
        expect(sizeOf(part)).toBeLessThanOrEqual("copy" in part ? 2 ** 30 : PART_LEAST_BYTES);
      }
    }),
  );
});

test("large objects are copied where they are, the last one whatever its size", () => {
  expect(planConcat([8 * MIB, 6 * MIB, 100])).toEqual([
    { copy: { source: 0, from: 0, to: 8 * MIB } },
    { copy: { source: 1, from: 0, to: 6 * MIB } },
    { copy: { source: 2, from: 0, to: 100 } },
  ]);
});

test("a small object is filled up with the beginning of the next one, whose rest is copied", () => {
  expect(planConcat([MIB, 20 * MIB])).toEqual([
    {
      upload: [
        { source: 0, from: 0, to: MIB },
        { source: 1, from: 0, to: 4 * MIB },
      ],
    },
    { copy: { source: 1, from: 4 * MIB, to: 20 * MIB } },
  ]);
});

test("small objects alone are one part that is read and written", () => {
  expect(planConcat([10, 0, 20])).toEqual([
    {
      upload: [
        { source: 0, from: 0, to: 10 },
        { source: 2, from: 0, to: 20 },
      ],
    },
  ]);
  expect(planConcat([0, 0])).toEqual([]);
  expect(planConcat([])).toEqual([]);
});

test("an object of more than a gigabyte is copied in several parts", () => {
  const parts = planConcat([2500 * MIB]);
  expect(parts.map(sizeOf)).toEqual([1024 * MIB, 1024 * MIB, 452 * MIB]);
});
