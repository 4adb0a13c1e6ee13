import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { FrameReader, framesOf, lengthPrefix } from "../../../lib/wire/framing.ts";

const frame = fc.uint8Array({ minLength: 8, maxLength: 300 });

function streamOf(frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(frames.flatMap((one) => [lengthPrefix(one.byteLength), one]));
}

test("a stream gives the same frames however it is cut into pieces", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
      (frames, cuts) => {
        const stream = streamOf(frames);
        const reader = new FrameReader(1000);
        const read: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.byteLength; i++) {
          const end = at + (cuts[i % cuts.length] as number);
          read.push(...reader.push(stream.slice(at, end)));
          at = end;
        }
        expect(read.map((one) => Buffer.from(one).toString("hex"))).toEqual(
          frames.map((one) => Buffer.from(one).toString("hex")),
        );
        expect(reader.isInside).toBe(false);
        expect(framesOf(stream, 1000).map((one) => one.byteLength)).toEqual(frames.map((one) => one.byteLength));
      },
    ),
  );
});

test("a frame that comes whole is not copied", () => {
  const stream = streamOf([new Uint8Array(20), new Uint8Array(30)]);
  for (const one of new FrameReader(100).push(stream)) expect(one.buffer).toBe(stream.buffer);
});

test("a length that lies costs no more memory than twice what was sent", () => {
  const reader = new FrameReader(100_000_000);
  reader.push(lengthPrefix(100_000_000));
  expect(reader.heldBytes).toBe(0);
  let sent = 0;
  for (let i = 0; i < 100; i++) {
    reader.push(new Uint8Array(1000));
    sent += 1000;
    expect(reader.heldBytes).toBeLessThanOrEqual(2 * sent);
  }
});

test("a frame that comes byte by byte is not copied again with each byte", () => {
  const sizeBytes = 200_000;
  const reader = new FrameReader(sizeBytes);
  reader.push(lengthPrefix(sizeBytes));
  const buffers = new Set<number>();
  let frames: readonly Uint8Array[] = [];
  for (let i = 0; i < sizeBytes; i++) {
    frames = reader.push(Uint8Array.of(i));
    buffers.add(reader.heldBytes);
  }
  expect(frames[0]?.every((byte, i) => byte === (i & 255))).toBe(true);
  expect(buffers.size).toBeLessThan(20);
});

test.each([
  [101, "a frame of 101 bytes; at most 100 are taken"],
  [2 ** 31 - 1, "a frame of 2147483647 bytes"],
  [0x47455420, "does the other side speak Kafka's protocol"],
  [7, "a frame of 7 bytes; the shortest header has 8"],
  [0, "a frame of 0 bytes"],
  [-1, "a frame of -1 bytes"],
])("a frame's length of %i is refused", (length, message) => {
  const reader = new FrameReader(100);
  const before = streamOf([new Uint8Array(9)]);
  expect(reader.push(concatBytes([before, lengthPrefix(length), before]))).toHaveLength(1);
  expect(reader.error?.message).toContain(message);
  expect(reader.push(before)).toHaveLength(0);
  expect(() => framesOf(lengthPrefix(length), 100)).toThrow(message);
});

test("a body whose last frame is cut short is refused", () => {
  const stream = streamOf([new Uint8Array(10)]);
  for (let end = 1; end < stream.byteLength; end++) {
    expect(() => framesOf(stream.subarray(0, end), 100)).toThrow("the last frame is cut short");
  }
  expect(framesOf(new Uint8Array(0), 100)).toEqual([]);
});
