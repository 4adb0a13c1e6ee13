import fc from "fast-check";
import { expect, test } from "vitest";
import {
  packRef,
  REF_BYTES,
  REF_MAX_BYTES,
  REF_MAX_RECORDS,
  type Ref,
  refIsOf,
  refRecordCount,
  unpackRef,
} from "../../../lib/log/items/ref.ts";

const anyRef: fc.Arbitrary<Ref> = fc.record({
  blobId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  place: fc.constantFrom(0, 1, 2, 3),
  claimed: fc.boolean(),
  shared: fc.boolean(),
  positionBytes: fc.nat(REF_MAX_BYTES),
  sizeBytes: fc.nat(REF_MAX_BYTES),
  recordCount: fc.integer({ min: 1, max: REF_MAX_RECORDS }),
  maxTimestampMs: fc.integer({ min: -(2 ** 47), max: 2 ** 47 - 1 }),
});

test("a ref survives being packed into 32 bytes", () => {
  fc.assert(
    fc.property(anyRef, (ref) => {
      const packed = packRef(ref);
      expect(packed.byteLength).toBe(REF_BYTES);
      expect(unpackRef(packed)).toEqual(ref);
      expect(refRecordCount(packed)).toBe(ref.recordCount);
      expect(refIsOf(packed, ref.blobId)).toBe(true);
    }),
  );
});
