/**
 * One message of each kind, always the same: every field of the version has a value of its own, every third one that may
 * be null is null. The goldens were made of these: change this, and they must be made again (`goldens.test.ts`).
 */
import { fieldOf, has, type Shape, type Type } from "../../../../lib/kafka/protocol/schema.ts";

export function sample(shape: Shape, version: number): Record<string, unknown> {
  let n = 0;
  const next = (type: Type): unknown => {
    n++;
    if (type.nullable !== undefined && has(type.nullable, version) && n % 3 === 0) return null;
    switch (type.kind) {
      case "bool":
        return n % 2 === 0;
      case "int8":
        return (n % 256) - 128;
      case "int16":
        return -n;
      case "int32":
        return n * 100_003;
      case "int64":
        return n * 10_000_000_019;
      case "uuid":
        return Buffer.from(Array.from({ length: 16 }, (_, i) => (n * 31 + i) % 256)).toString("base64url");
      case "string":
        return `é${n}`;
      case "bytes":
      case "records":
        return new Uint8Array([n, 255, 0]);
      case "array":
        return [next(type.of as Type), next(type.of as Type)];
      case "struct":
        return structOf(type.fields as Shape);
    }
  };
  const structOf = (fields: Shape): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, entry]) => {
        const { type, versions, defaultValue } = fieldOf(entry);
        return [name, has(versions, version) ? next(type) : defaultValue];
      }),
    );
  return structOf(shape);
}
