/** Messages of any API and version, made from its declaration. */
import fc from "fast-check";
import { type Api, fieldOf, has, type Shape, type Type } from "../../../../lib/kafka/protocol/schema.ts";

export function versionsOf({ versions: [first, last] }: Api<Shape, Shape>): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

const int = (bits: number): fc.Arbitrary<number> => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ minLength: 100, maxLength: 300 }));

const SCALARS = {
  bool: fc.boolean(),
  int8: int(8),
  int16: int(16),
  int32: int(32),
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
