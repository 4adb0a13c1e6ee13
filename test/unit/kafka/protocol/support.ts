/** Messages of any API and version, made from its declaration. */
import fc from "fast-check";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { type Api, fieldOf, has, type Shape, type Type } from "../../../../lib/kafka/protocol/schema.ts";

export function versionsOf({ versions: [first, last] }: Api<Shape, Shape>): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Without its size, which must be right. */
export function withoutSize(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = concatBytes(pieces);
  const size = new DataView(whole.buffer, whole.byteOffset).getInt32(0);
  if (size !== whole.byteLength - 4) throw new Error(`the frame says ${size} bytes; it has ${whole.byteLength - 4}`);
  return whole.subarray(4);
}

const int = (bits: number): fc.Arbitrary<number> => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ minLength: 100, maxLength: 300 }));

const SCALARS = {
  bool: fc.boolean(),
  int8: int(8),
  int16: int(16),
  uint16: fc.nat(65_535),
  int32: int(32),
  uint32: fc.nat(2 ** 32 - 1),
  int64: fc.maxSafeInteger(),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
  string: text,
  bytes: fc.uint8Array({ maxLength: 40 }),
  records: fc.oneof(
    { weight: 9, arbitrary: fc.uint8Array({ maxLength: 100 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 4090, maxLength: 5000 }) },
  ),
} as const;

function valueOfType(type: Type, version: number): fc.Arbitrary<unknown> {
  const value =
    type.kind === "array"
      ? fc.array(valueOfType(type.of as Type, version), { maxLength: 3 })
      : type.kind === "struct"
        ? message(type.fields as Shape, version)
        : (SCALARS[type.kind] as fc.Arbitrary<unknown>);
  return type.nullable !== undefined && has(type.nullable, version) ? fc.option(value, { freq: 5 }) : value;
}

/** A message of this version, whole; fields that the version does not have stand at their defaults. */
export function message(shape: Shape, version: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(shape).map(([name, entry]) => {
    const { type, versions, defaultValue } = fieldOf(entry);
    return [name, has(versions, version) ? valueOfType(type, version) : fc.constant(defaultValue)] as const;
  });
  return fc.record(Object.fromEntries(fields));
}
