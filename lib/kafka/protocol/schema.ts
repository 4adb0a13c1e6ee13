/**
 * The words in which the messages of Kafka's protocol are declared (https://kafka.apache.org/protocol), one file an API in
 * `api/`. A message is an object of fields in their order on the wire; each has a type and the versions that have it. What
 * a value must look like follows from the declaration, for the compiler too: {@link Decoded}, {@link Encodable}.
 *
 * A field that a version does not have is left out when that version is written, and has its default when it is read.
 * 64-bit integers are numbers: exact up to 2^53, as every offset and time here is.
 */

/** First and last version; the last one is `LATEST` where later versions have it too. */
export type Versions = readonly [first: number, last: number];

const LATEST = 32_767;
/** `flexibleFrom` of an API that has no flexible version. */
export const NEVER = 32_768;
const ALWAYS: Versions = [0, LATEST];

/** `Out` is what a reader gets, `In` what a writer may give. */
export interface Type<Out = unknown, In = Out> {
  readonly kind: ScalarKind | "array" | "struct";
  /** Of arrays: the elements. */
  readonly of?: Type;
  /** Of structs. */
  readonly fields?: Shape;
  /** Versions in which null is a value. */
  readonly nullable?: Versions;
  /** For the compiler alone. */
  readonly out?: Out;
  readonly in?: In;
}

export type ScalarKind = "bool" | "int8" | "int16" | "int32" | "int64" | "uuid" | "string" | "bytes" | "records";

export interface Field<T extends Type = Type, HasDefault extends boolean = boolean> {
  readonly type: T;
  readonly versions: Versions;
  /** What a reader finds where it is absent, and what is written where none is given. */
  readonly defaultValue: unknown;
  readonly hasDefault: HasDefault;
  /** Of tagged fields (KIP-482). */
  readonly tag?: number;
}

export interface Shape {
  readonly [name: string]: Type | Field;
}

type TypeOf<F> = F extends Field<infer T> ? T : F;
type Out<T> = T extends Type<infer O, infer _> ? O : never;
type In<T> = T extends Type<infer _, infer I> ? I : never;
type OptionalNames<S extends Shape> = { [K in keyof S]: S[K] extends Field<Type, true> ? K : never }[keyof S];

/** What a message is when it was read: every field is there. */
export type Decoded<S extends Shape> = { readonly [K in keyof S]: Out<TypeOf<S[K]>> };

/** What may be given to be written: fields that have a default may be missing. */
export type Encodable<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalNames<S>>]: In<TypeOf<S[K]>>;
} & { readonly [K in OptionalNames<S>]?: In<TypeOf<S[K]>> | undefined };

export const bool: Type<boolean> = { kind: "bool" };
export const int8: Type<number> = { kind: "int8" };
export const int16: Type<number> = { kind: "int16" };
export const int32: Type<number> = { kind: "int32" };
export const int64: Type<number> = { kind: "int64" };
/** 22 characters of base64url, as topic ids are everywhere here; 16 bytes on the wire. */
export const uuid: Type<string> = { kind: "uuid" };
export const string: Type<string> = { kind: "string" };
/** Read as a view of the frame. */
export const bytes: Type<Uint8Array> = { kind: "bytes" };
/** Record batches: read as a view of the frame, written without a copy. */
export const records: Type<Uint8Array, Uint8Array | readonly Uint8Array[]> = { kind: "records" };

export function struct<const S extends Shape>(fields: S): Type<Decoded<S>, Encodable<S>> {
  return { kind: "struct", fields };
}

export function array<T extends Type>(of: T): Type<readonly Out<T>[], readonly In<T>[]> {
  return { kind: "array", of };
}

/** An array of structs. */
export function list<const S extends Shape>(fields: S): Type<readonly Decoded<S>[], readonly Encodable<S>[]> {
  return { kind: "array", of: struct(fields) };
}

/** Null is a value too, from this version on. */
export function nullable<O, I>(type: Type<O, I>, from = 0): Type<O | null, I | null> {
  return { ...type, nullable: [from, LATEST] } as Type<O | null, I | null>;
}

/** In every version, with a default. */
export function withDefault<T extends Type>(type: T, defaultValue: Out<T>): Field<T, true> {
  return { type, versions: ALWAYS, defaultValue, hasDefault: true };
}

export function since<T extends Type>(first: number, type: T): Field<T, false>;
export function since<T extends Type>(first: number, type: T, defaultValue: Out<T>): Field<T, true>;
export function since<T extends Type>(first: number, type: T, defaultValue?: Out<T>): Field<T> {
  const hasDefault = defaultValue !== undefined;
  return { type, versions: [first, LATEST], defaultValue: hasDefault ? defaultValue : zeroOf(type), hasDefault };
}

/** What later versions do not have needs no value. */
export function until<T extends Type>(last: number, type: T, defaultValue?: Out<T>): Field<T, true> {
  return between(0, last, type, defaultValue);
}

export function between<T extends Type>(first: number, last: number, type: T, defaultValue?: Out<T>): Field<T, true> {
  return {
    type,
    versions: [first, last],
    defaultValue: defaultValue === undefined ? zeroOf(type) : defaultValue,
    hasDefault: true,
  };
}

/** A tagged field: written only where it differs from its default. */
export function tagged<T extends Type>(tag: number, first: number, type: T, defaultValue?: Out<T>): Field<T, true> {
  const value = defaultValue === undefined ? zeroOf(type) : defaultValue;
  return { type, versions: [first, LATEST], defaultValue: value, hasDefault: true, tag };
}

/** The field of a shape's entry. */
export function fieldOf(entry: Type | Field): Field {
  if ("versions" in entry) return entry;
  return { type: entry, versions: ALWAYS, defaultValue: zeroOf(entry), hasDefault: false };
}

export function has([first, last]: Versions, version: number): boolean {
  return version >= first && version <= last;
}

/** The zero of a UUID: where an old version has no topic id. */
export const NO_UUID = "AAAAAAAAAAAAAAAAAAAAAA";

/** Kafka's own defaults: nothing, of each kind. */
function zeroOf(type: Type): unknown {
  switch (type.kind) {
    case "bool":
      return false;
    case "string":
      return "";
    case "uuid":
      return NO_UUID;
    case "bytes":
    case "records":
      return new Uint8Array(0);
    case "array":
      return [];
    case "struct":
      return Object.fromEntries(Object.entries(type.fields ?? {}).map(([name, entry]) => [name, fieldOf(entry).defaultValue]));
    default:
      return 0;
  }
}

/** One API: its number, the versions that are declared here, and its two messages. */
export interface Api<Req extends Shape = Shape, Res extends Shape = Shape> {
  /** In camel case, as in Kafka's documentation: `Produce`. */
  readonly name: string;
  /** Number on the wire. */
  readonly key: number;
  readonly versions: Versions;
  /** From this version on: compact lengths and tagged fields (KIP-482). */
  readonly flexibleFrom: number;
  readonly request: Req;
  readonly response: Res;
}

export function defineApi<const Req extends Shape, const Res extends Shape>(api: Api<Req, Res>): Api<Req, Res> {
  return api;
}
