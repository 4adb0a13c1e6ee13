import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchCutter } from "../../../lib/client/reader/cut.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";

const batches = fc.array(
  fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 5 }).map((values) =>
    encodeBatch(
      values.map((value) => ({ key: null, value })),
      { timestampMs: 1 },
    ),
  ),
  { maxLength: 6 },
);

test("batches come out as they went in, however the body is cut into pieces", () => {
  fc.assert(
    fc.property(batches, fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 40 }), (wanted, sizes) => {
      const body = Buffer.concat(wanted);
      const cutter = new BatchCutter();
      const got: Uint8Array[] = [];
      let at = 0;
      for (const size of [...sizes, body.byteLength]) {
        got.push(...cutter.push(new Uint8Array(body.subarray(at, at + size))));
        at = Math.min(body.byteLength, at + size);
      }
      expect(got.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(
        wanted.map((bytes) => Buffer.from(bytes).toString("hex")),
      );
      expect(cutter.heldBytes).toBe(0);
    }),
  );
});

test("a body that ends early leaves the rest of its last batch behind", () => {
  const batch = encodeBatch([{ key: null, value: new Uint8Array(100) }], { timestampMs: 1 });
  const cutter = new BatchCutter();
  expect(cutter.push(Buffer.concat([batch, batch.subarray(0, 70)]))).toHaveLength(1);
  expect(cutter.heldBytes).toBe(70);
});

test.each([-1, 0, 2 ** 31 - 1])("a length of %i is refused and not waited for", (length) => {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setInt32(8, length);
  expect(() => new BatchCutter().push(bytes)).toThrow("claims a length");
});
