/**
 * The JSON shapes of records, stated once as zod schemas: what `/openapi.json` shows, and what words an error. The
 * parser of `records.ts` takes exactly what these take (a property test holds the two together).
 */
import * as z from "zod";
import type { Limits } from "../limits.ts";

export interface RecordShape {
  /** Name of the field that holds the partition, if any. */
  readonly partition: "partition" | "partition_id" | undefined;
  /**
   * `typed`: `{"type": "BINARY" | "JSON" | "STRING", "data": ...}`, a string for short, or null. `json`: any JSON value is
   * the value, as written. `binary`: base64.
   */
  readonly payload: "typed" | "json" | "binary";
  /** Are unknown fields refused? Confluent's API ignores them. */
  readonly strict: boolean;
  /** Each record names its topic. */
  readonly topic: boolean;
  /** Each record has an id that its answer repeats. */
  readonly id: boolean;
  /** The field that holds many records, if there may be many. */
  readonly list: "records" | "entries" | undefined;
  /** May the document be a record itself? */
  readonly single: boolean;
  /** May it say which offsets are committed with its records? */
  readonly commits?: boolean;
}

const PLAIN = { payload: "typed", strict: true, topic: false, id: false, list: "records", single: true } as const;

/** `POST /topics/{t}/partitions/{p}/records`. */
export const FOR_PARTITION: RecordShape = { ...PLAIN, partition: undefined };
/** `POST /topics/{t}/records`. */
export const FOR_TOPIC: RecordShape = { ...PLAIN, partition: "partition" };
/** `POST /v1/produce`. */
export const ATOMIC: RecordShape = { ...PLAIN, partition: "partition", topic: true, single: false, commits: true };
/** `application/vnd.kafka.json.v2+json`. */
export const V2_JSON: RecordShape = { ...PLAIN, partition: "partition", payload: "json", strict: false, single: false };
/** `application/vnd.kafka.binary.v2+json`. */
export const V2_BINARY: RecordShape = { ...V2_JSON, payload: "binary" };
/** `POST /v3/clusters/{c}/topics/{t}/records`. */
export const V3_RECORD: RecordShape = { ...PLAIN, partition: "partition_id", strict: false, list: undefined };
/** `POST /v3/clusters/{c}/topics/{t}/records:batch`. */
export const V3_ENTRIES: RecordShape = { ...V3_RECORD, id: true, list: "entries", single: false };

/** Largest partition number that can be named; what a topic has is checked later. */
export const PARTITION_MAX = 2 ** 31 - 1;
/** The last millisecond that a JavaScript date can say. */
export const TIMESTAMP_MAX = 8.64e15;

const partitionSchema = z.int().min(0).max(PARTITION_MAX);

/** RFC 3339 with a zone. */
export const isoTimeSchema = z.iso
  .datetime({ offset: true, error: "must be RFC 3339, as 2026-01-31T23:59:59.000Z" })
  .refine((text) => Date.parse(text) >= 0, "must not be before 1970");

export const timestampSchema = z
  .union([z.int().min(0).max(TIMESTAMP_MAX), isoTimeSchema])
  .describe("milliseconds since 1970, or RFC 3339");

/** Has every surrogate its other half? */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

const textSchema = z.string().refine((text) => isWellFormed(text), "holds half of a surrogate pair, which UTF-8 cannot say");
const base64Schema = z.base64("must be base64 (RFC 4648 section 4, padded)");

function object<Shape extends z.ZodRawShape>(strict: boolean, shape: Shape): z.ZodObject<Shape> {
  return (strict ? z.strictObject(shape) : z.object(shape)) as unknown as z.ZodObject<Shape>;
}

function payloadSchema(shape: RecordShape): z.ZodType {
  if (shape.payload === "json") return z.unknown().optional().describe("any JSON value, kept as it is written; null is no value");
  if (shape.payload === "binary") return base64Schema.nullish();
  const typed = z.discriminatedUnion(
    "type",
    [
      object(shape.strict, { type: z.literal("BINARY"), data: base64Schema.nullish() }),
      object(shape.strict, { type: z.literal("STRING"), data: textSchema.nullish() }),
      object(shape.strict, { type: z.literal("JSON"), data: z.unknown().optional() }),
    ],
    { error: 'must have "type": "BINARY", "JSON" or "STRING"' },
  );
  return z.union([textSchema, typed]).nullish();
}

export function recordSchema(shape: RecordShape): z.ZodObject {
  const header = object(shape.strict, { name: textSchema, value: base64Schema.nullish() });
  return object(shape.strict, {
    ...(shape.id ? { id: textSchema.min(1).max(80) } : {}),
    ...(shape.topic ? { topic: textSchema } : {}),
    ...(shape.partition === undefined ? {} : { [shape.partition]: partitionSchema.nullish() }),
    key: payloadSchema(shape),
    value: payloadSchema(shape),
    headers: z.array(header).nullish(),
    timestamp: timestampSchema.nullish(),
  });
}

/** Offsets that are committed with the records, or not at all. */
export const commitsSchema = z.strictObject({
  group: textSchema,
  cursor: z
    .string()
    .min(1)
    .optional()
    .describe("of the group's consumer that read what is committed; without it the group must have no members"),
  offsets: z
    .array(
      z.strictObject({ topic: textSchema, partition: partitionSchema, offset: z.int().min(0), metadata: textSchema.optional() }),
    )
    .min(1)
    .max(10_000),
});

/** Of a document that holds a list. */
export function listSchema(shape: RecordShape, limits: Limits): z.ZodObject {
  const list = z.array(recordSchema(shape)).max(limits.recordsPerRequest);
  if (!shape.commits) return object(shape.strict, { [shape.list ?? "records"]: list.min(1) });
  return object(shape.strict, { records: list, commit: commitsSchema.optional() }).refine(
    ({ records, commit }) => records.length > 0 || commit !== undefined,
    { path: ["records"], error: "must hold a record where nothing is committed" },
  );
}

export function documentSchema(shape: RecordShape, limits: Limits): z.ZodType {
  if (shape.list === undefined) return recordSchema(shape);
  if (!shape.single) return listSchema(shape, limits);
  return z.union([recordSchema(shape), listSchema(shape, limits)]);
}
