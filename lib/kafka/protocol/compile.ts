/**
 * Makes a reader and a writer out of a declaration, for one version of it: everything that depends on the version is
 * decided once, and what is left is a list of closures.
 *
 * An array or a text is refused before it is made when its length says more than the message has left.
 */
import { invariant } from "../../base/assert.ts";
import { malformed, Reader } from "./reader.ts";
import { type Field, fieldOf, has, type ScalarKind, type Shape, type Type } from "./schema.ts";
import { Writer } from "./writer.ts";

export interface Codec<Out, In> {
  readonly read: (reader: Reader) => Out;
  readonly write: (writer: Writer, value: In) => void;
}

interface Compiled extends Codec<unknown, unknown> {
  /** The shortest that it can be on the wire. */
  readonly leastBytes: number;
}

interface Variant {
  readonly version: number;
  readonly flexible: boolean;
}

export function compileShape(shape: Shape, version: number, flexible: boolean): Codec<unknown, unknown> {
  return compileStruct(shape, { version, flexible });
}

function compile(type: Type, variant: Variant): Compiled {
  const isNullable = type.nullable !== undefined && has(type.nullable, variant.version);
  switch (type.kind) {
    case "string":
      return variant.flexible ? compactString(isNullable) : plainString(isNullable);
    case "bytes":
    case "records":
      return binary(isNullable, variant.flexible);
    case "array":
      return arrayOf(compile(type.of as Type, variant), isNullable, variant.flexible);
    case "struct": {
      const inner = compileStruct(type.fields as Shape, variant);
      return isNullable ? nullableStruct(inner) : inner;
    }
    default:
      return FIXED[type.kind];
  }
}

type FixedKind = Exclude<ScalarKind, "string" | "bytes" | "records">;

const FIXED: Readonly<Record<FixedKind, Compiled>> = {
  bool: { leastBytes: 1, read: (r) => r.bool(), write: (w, v) => w.bool(v as boolean) },
  int8: { leastBytes: 1, read: (r) => r.int8(), write: (w, v) => w.int8(v as number) },
  int16: { leastBytes: 2, read: (r) => r.int16(), write: (w, v) => w.int16(v as number) },
  int32: { leastBytes: 4, read: (r) => r.int32(), write: (w, v) => w.int32(v as number) },
  int64: { leastBytes: 8, read: (r) => r.int64(), write: (w, v) => w.int64(v as number) },
  uuid: { leastBytes: 16, read: (r) => r.uuid(), write: (w, v) => w.uuid(v as string) },
};

/** A length below zero is null; it must be -1, and null must be a value. */
function checkNull(length: number, isNullable: boolean, reader: Reader): void {
  if (length !== -1) throw malformed(`has the length ${length} before byte ${reader.at}`);
  if (!isNullable) throw malformed(`has null before byte ${reader.at}, where a value must be`);
}

function checkGiven(value: unknown, isNullable: boolean): void {
  invariant(value !== null || isNullable, "null is written only where this version of the message has it");
}

function plainString(isNullable: boolean): Compiled {
  return {
    leastBytes: 2,
    read(reader) {
      const length = reader.int16();
      if (length >= 0) return reader.text(length);
      checkNull(length, isNullable, reader);
      return null;
    },
    write(writer, value) {
      checkGiven(value, isNullable);
      if (value === null) writer.int16(-1);
      else writer.string(value as string);
    },
  };
}

function compactString(isNullable: boolean): Compiled {
  return {
    leastBytes: 1,
    read(reader) {
      const length = reader.compactLength();
      if (length >= 0) return reader.text(length);
      checkNull(length, isNullable, reader);
      return null;
    },
    write(writer, value) {
      checkGiven(value, isNullable);
      if (value === null) writer.unsignedVarint(0);
      else writer.compactString(value as string);
    },
  };
}

/** Bytes and records: given as one array or, records, as several that follow each other. */
function binary(isNullable: boolean, flexible: boolean): Compiled {
  return {
    leastBytes: flexible ? 1 : 4,
    read(reader) {
      const length = flexible ? reader.compactLength() : reader.int32();
      if (length >= 0) return reader.view(length);
      checkNull(length, isNullable, reader);
      return null;
    },
    write(writer, value) {
      checkGiven(value, isNullable);
      const length = value === null ? -1 : value instanceof Uint8Array ? value.byteLength : totalBytes(value as Uint8Array[]);
      if (flexible) writer.unsignedVarint(length + 1);
      else writer.int32(length);
      if (value instanceof Uint8Array) writer.raw(value);
      else if (value !== null) for (const piece of value as Uint8Array[]) writer.raw(piece);
    },
  };
}

function totalBytes(pieces: readonly Uint8Array[]): number {
  let size = 0;
  for (const piece of pieces) size += piece.byteLength;
  return size;
}

function arrayOf(element: Compiled, isNullable: boolean, flexible: boolean): Compiled {
  const { leastBytes } = element;
  return {
    leastBytes: flexible ? 1 : 4,
    read(reader) {
      const count = flexible ? reader.compactLength() : reader.int32();
      if (count < 0) {
        checkNull(count, isNullable, reader);
        return null;
      }
      reader.elements(count, leastBytes);
      const values = new Array<unknown>(count);
      for (let i = 0; i < count; i++) values[i] = element.read(reader);
      return values;
    },
    write(writer, value) {
      checkGiven(value, isNullable);
      const values = value as readonly unknown[] | null;
      const count = values === null ? -1 : values.length;
      if (flexible) writer.unsignedVarint(count + 1);
      else writer.int32(count);
      if (values !== null) for (const one of values) element.write(writer, one);
    },
  };
}

/** One byte before it: 1, or -1 for null. */
function nullableStruct(inner: Compiled): Compiled {
  return {
    leastBytes: 1,
    read(reader) {
      const present = reader.int8();
      if (present === 1) return inner.read(reader);
      checkNull(present, true, reader);
      return null;
    },
    write(writer, value) {
      writer.int8(value === null ? -1 : 1);
      if (value !== null) inner.write(writer, value);
    },
  };
}

interface CompiledField extends Compiled {
  readonly name: string;
  readonly defaultValue: unknown;
}

interface TaggedField extends CompiledField {
  readonly tag: number;
}

type Values = Record<string, unknown>;

function compileStruct(shape: Shape, variant: Variant): Compiled {
  const entries = Object.entries(shape).map(([name, entry]): [string, Field] => [name, fieldOf(entry)]);
  const defaults: Values = Object.fromEntries(entries.map(([name, { defaultValue }]) => [name, defaultValue]));
  const fields: CompiledField[] = [];
  const tagged: TaggedField[] = [];
  for (const [name, { type, versions, defaultValue, tag }] of entries) {
    if (!has(versions, variant.version)) continue;
    const field = { ...compile(type, variant), name, defaultValue };
    if (tag === undefined) fields.push(field);
    else tagged.push({ ...field, tag });
  }
  tagged.sort((a, b) => a.tag - b.tag);
  const fixedBytes = fields.reduce((sum, { leastBytes }) => sum + leastBytes, 0);
  return {
    leastBytes: fixedBytes + (variant.flexible ? 1 : 0),
    read(reader) {
      const values: Values = { ...defaults };
      for (const field of fields) values[field.name] = field.read(reader);
      if (variant.flexible) readTagged(reader, tagged, values);
      return values;
    },
    write(writer, value) {
      const values = value as Values;
      for (const { name, defaultValue, write } of fields) {
        const given = values[name];
        write(writer, given === undefined ? defaultValue : given);
      }
      if (variant.flexible) writeTagged(writer, tagged, values);
    },
  };
}

function readTagged(reader: Reader, tagged: readonly TaggedField[], values: Values): void {
  if (tagged.length === 0) {
    reader.skipTags();
    return;
  }
  for (let left = reader.unsignedVarint(); left > 0; left--) {
    const tag = reader.unsignedVarint();
    const size = reader.unsignedVarint();
    const at = reader.take(size);
    const field = tagged.find((one) => one.tag === tag);
    if (field !== undefined) values[field.name] = field.read(new Reader(reader.bytes, at, at + size));
  }
}

function writeTagged(writer: Writer, tagged: readonly TaggedField[], values: Values): void {
  const given = tagged.filter(({ name, defaultValue }) => {
    const value = values[name];
    return value !== undefined && !isSame(value, defaultValue);
  });
  writer.unsignedVarint(given.length);
  for (const { tag, name, write } of given) {
    const inner = new Writer();
    write(inner, values[name]);
    writer.unsignedVarint(tag);
    writer.unsignedVarint(inner.sizeBytes);
    for (const piece of inner.finish()) writer.raw(piece);
  }
}

/** Is a value of a tagged field its default? */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(b);
  if (Object.keys(a).length > names.length) return false;
  return names.every((name) => {
    const value = (a as Values)[name];
    return value === undefined ? !Array.isArray(b) : isSame(value, (b as Values)[name]);
  });
}
