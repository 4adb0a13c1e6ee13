/** Consumers of Confluent's REST API v2: from bodies and queries to `groups/rest`, and back. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { CONSUMER_FORMATS, type RestConsumer } from "../../groups/items/rest-consumer.ts";
import { type Cursor, RESETS } from "../../groups/poll/cursor.ts";
import { returned } from "../../groups/poll/poll.ts";
import type { PollAnswer } from "../../groups/poll/types.ts";
import * as rest from "../../groups/rest/consumers.ts";
import { noContent, type Reply } from "../call.ts";
import { REPRESENTATIONS, type Representation } from "../consume/representations.ts";
import { walkRecords } from "../consume/walk.ts";
import { JsonWriter } from "../consume/writer.ts";
import type { Exchange } from "../exchange.ts";
import type { Limits } from "../limits.ts";
import { chooseType } from "../negotiate.ts";
import { JSON_TYPE, V2_BINARY_TYPE, V2_JSON_TYPE } from "../produce/media.ts";
import { wholeNumber } from "../query.ts";
import { V2_TYPE, v2Body, v2Json } from "../v2.ts";
import { clientOf, groupsOf } from "./poll.ts";

/** Names the answer that a caller has. */
export const SEQUENCE_HEADER = "Kafka-Consumer-Sequence";
/** Confluent's `consumer.request.timeout.ms`. */
const DEFAULT_TIMEOUT_MS = 1000;
const DEFAULT_MAX_BYTES = 1024 * 1024;
const PARTITIONS_MOST = 10_000;

/** A number, or text that is one, as Kafka's configs are written. */
function numeric(min: number, max: number) {
  const text = z.string().regex(/^-?\d{1,16}$/, "must be a whole number");
  return z.union([z.int(), text]).transform(Number).pipe(z.int().min(min).max(max));
}

export function createSchema(limits: Limits) {
  return z.strictObject({
    name: z.string().min(1).max(249).optional().describe("in the paths of the consumer; default: one that nobody has"),
    format: z
      .enum(CONSUMER_FORMATS)
      .default("binary")
      .describe("what keys and values are shown as: base64, or the JSON that they are"),
    "auto.offset.reset": z.enum(RESETS).default("latest"),
    "auto.commit.enable": z
      .union([z.boolean(), z.enum(["true", "false"])])
      .default(true)
      .describe("commit what a read of records returned, with the next one"),
    "fetch.min.bytes": numeric(-1, limits.readBytes)
      .optional()
      .describe("a read waits for so much, or its timeout; -1: for anything"),
    "consumer.request.timeout.ms": numeric(-1, Number.MAX_SAFE_INTEGER)
      .optional()
      .describe("how long a read waits; default 1000"),
  });
}

const place = { topic: z.string(), partition: z.int().min(0) };
const places = z.array(z.strictObject(place)).max(PARTITIONS_MOST);

export const subscriptionSchema = z
  .strictObject({
    topics: z.array(z.string().min(1).max(249)).min(1).max(1000).optional(),
    topic_pattern: z.string().min(1).max(1000).optional().describe("RE2's syntax, of whole topic names"),
  })
  .refine(({ topics, topic_pattern }) => (topics === undefined) !== (topic_pattern === undefined), {
    path: ["topics"],
    error: "must be there, or topic_pattern, and not both",
  });
export const partitionsSchema = z.strictObject({ partitions: places });
export const positionsSchema = z.strictObject({
  offsets: z.array(z.strictObject({ ...place, offset: z.int().min(0) })).max(PARTITIONS_MOST),
});
export const commitSchema = z.strictObject({
  offsets: z
    .array(
      z.strictObject({
        ...place,
        offset: z
          .int()
          .min(0)
          .max(Number.MAX_SAFE_INTEGER - 1)
          .describe("of the last record that is done with"),
        metadata: z.string().nullish(),
      }),
    )
    .max(PARTITIONS_MOST)
    .optional()
    .describe("default: all that was returned"),
});
const askedSchema = z.strictObject({ partitions: places.optional() });

export const recordsQuery = z.strictObject({
  timeout: wholeNumber(-1, Number.MAX_SAFE_INTEGER).optional().describe("how many milliseconds to wait for a first record"),
  max_bytes: wholeNumber(-1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("about how many bytes of batches at most; one batch at least"),
});

export async function create(exchange: Exchange, schema: ReturnType<typeof createSchema>): Promise<Reply> {
  const group = exchange.param("group");
  const body = await v2Body(exchange, schema).catch((error: unknown) => {
    throw asConfigError(error);
  });
  const name = body.name ?? `rest-consumer-${exchange.surface.ids.uuid()}`;
  const timeoutMs = body["consumer.request.timeout.ms"] ?? -1;
  await rest.createConsumer(await partsOf(exchange), {
    group,
    name,
    format: body.format,
    autoCommit: String(body["auto.commit.enable"]) === "true",
    reset: body["auto.offset.reset"],
    minBytes: Math.max(1, body["fetch.min.bytes"] ?? 1),
    timeoutMs: timeoutMs < 0 ? DEFAULT_TIMEOUT_MS : timeoutMs,
  });
  const { origin, base } = exchange.call;
  const path = `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(name)}`;
  return v2Json(exchange, { instance_id: name, base_uri: `${origin}${base}${path}` });
}

export async function remove(exchange: Exchange): Promise<Reply> {
  await rest.remove(await partsOf(exchange), refOf(exchange), clientOf(exchange), seenOf(exchange));
  return noContent();
}

export async function subscribe(exchange: Exchange): Promise<Reply> {
  const { topics, topic_pattern: regex } = await v2Body(exchange, subscriptionSchema);
  for (const name of topics ?? [""]) exchange.require({ resource: "topic", operation: "read", name });
  const to = regex === undefined ? { topics: [...new Set(topics)] } : { regex };
  await rest.subscribe(await partsOf(exchange), refOf(exchange), to, exchange.surface.ids.uuid());
  return noContent();
}

export async function subscription(exchange: Exchange): Promise<Reply> {
  const { mode, cursor } = await consumerOf(exchange);
  const { topics, regex, positions } = cursor;
  if (mode !== "subscribed") return v2Json(exchange, { topics: [] });
  if (regex === undefined || regex === "") return v2Json(exchange, { topics });
  return v2Json(exchange, { topics: [...new Set(positions.map(({ topic }) => topic))].sort(), topic_pattern: regex });
}

export async function unsubscribe(exchange: Exchange): Promise<Reply> {
  await rest.unsubscribe(await partsOf(exchange), refOf(exchange), clientOf(exchange));
  return noContent();
}

export async function assign(exchange: Exchange): Promise<Reply> {
  const { partitions } = await v2Body(exchange, partitionsSchema);
  requireRead(exchange, partitions);
  await rest.assign(await partsOf(exchange), refOf(exchange), partitions);
  return noContent();
}

export async function assignments(exchange: Exchange): Promise<Reply> {
  const { positions } = (await consumerOf(exchange)).cursor;
  return v2Json(exchange, { partitions: positions.map(({ topic, partition }) => ({ topic, partition })) });
}

/** Confluent's offsets are those of the last records that are done with; Kafka's are the next to be read. */
export async function commit(exchange: Exchange): Promise<Reply> {
  const { offsets } = await v2Body(exchange, commitSchema);
  requireRead(exchange, offsets ?? []);
  const next = offsets?.map(({ offset, metadata, ...one }) => ({ ...one, offset: offset + 1, metadata: metadata ?? "" }));
  const done = await rest.commit(await partsOf(exchange), refOf(exchange), next);
  return v2Json(exchange, { offsets: done });
}

/** Which partitions may stand in a body, as clients of Confluent's send it with GET. */
export async function committed(exchange: Exchange): Promise<Reply> {
  const { partitions } = await v2Body(exchange, askedSchema);
  requireRead(exchange, partitions ?? []);
  const found = await rest.committed(await partsOf(exchange), refOf(exchange), partitions);
  const offsets = found.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }));
  return v2Json(exchange, { offsets });
}

export async function seek(exchange: Exchange): Promise<Reply> {
  const { offsets } = await v2Body(exchange, positionsSchema);
  await rest.seek(await partsOf(exchange), refOf(exchange), offsets);
  return noContent();
}

export async function seekToEnd(exchange: Exchange, at: "earliest" | "latest"): Promise<Reply> {
  const { partitions } = await v2Body(exchange, partitionsSchema);
  requireRead(exchange, partitions);
  await rest.seekToEnd(await partsOf(exchange), refOf(exchange), partitions, at);
  return noContent();
}

export async function records(exchange: Exchange<z.infer<typeof recordsQuery>>): Promise<Reply> {
  const { surface, call, query } = exchange;
  const seen = seenOf(exchange);
  const parts = await partsOf(exchange);
  const { group, name } = refOf(exchange);
  const stored = await parts.groups.restConsumers.read(group, name);
  const { consumer } = stored;
  const type = typeOf(exchange, consumer);
  const { topics, regex, positions } = consumer.cursor;
  requireRead(exchange, [...topics.map((topic) => ({ topic })), ...positions]);
  if (regex !== undefined && regex !== "") exchange.require({ resource: "topic", operation: "read", name: "" });
  const timeoutMs = query.timeout === undefined || query.timeout < 0 ? consumer.timeoutMs : query.timeout;
  const maxBytes = query.max_bytes === undefined || query.max_bytes < 1 ? DEFAULT_MAX_BYTES : query.max_bytes;
  const request = {
    client: clientOf(exchange),
    maxBytes: Math.min(maxBytes, surface.limits.readBytes),
    maxWaitMs: Math.min(timeoutMs, surface.limits.waitMs),
    seen,
    signal: AbortSignal.any([call.signal(), surface.stopping]),
  };
  const read = await rest.readRecords(parts, stored, request, (answer) => render(exchange, answer, consumer));
  const { notCommitted } = read.answer;
  return {
    status: 200,
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      vary: "accept, accept-encoding",
      [SEQUENCE_HEADER.toLowerCase()]: String(read.sequence),
      ...(notCommitted.length === 0 ? {} : { "kafka-consumer-not-committed": String(notCommitted.length) }),
    },
    body: read.result,
    compressible: true,
  };
}

/** The answer, and how far it goes: to the end, or to before what cannot be shown in the consumer's format. */
function render(
  exchange: Exchange,
  { polled, cursor }: PollAnswer,
  { format }: RestConsumer,
): { cursor: Cursor; result: Uint8Array } {
  const shown = REPRESENTATIONS.find(({ mediaType }) => mediaType === mediaTypeOf(format)) as Representation;
  const out = new JsonWriter();
  const next: { topic: string; partition: number; offset: number }[] = [];
  let first = true;
  let stopped = false;
  out.ascii("[");
  for (const { topic, partition, offset, result } of polled) {
    if (stopped) break;
    let after = result.nextOffset;
    walkRecords(result.batches, exchange.surface.codecs, offset, Number.POSITIVE_INFINITY, (record, timestampType) => {
      if (stopped) return;
      const mark = out.mark();
      try {
        shown.record(out, { topic, partition, format }, record, timestampType, first);
        first = false;
      } catch (error) {
        // With nothing before it, it is the answer.
        if (first || !(error instanceof BrokerlessError)) throw error;
        out.rewind(mark);
        after = record.offset;
        stopped = true;
      }
    });
    next.push({ topic, partition, offset: after });
  }
  out.ascii("]");
  return { cursor: returned(cursor, next), result: out.take() };
}

function mediaTypeOf(format: RestConsumer["format"]): string {
  return format === "json" ? V2_JSON_TYPE : V2_BINARY_TYPE;
}

/** Throws `format_mismatch` where another format is asked for than the consumer's. */
function typeOf(exchange: Exchange, { name, format }: RestConsumer): string {
  const own = mediaTypeOf(format);
  const accept = exchange.call.header("accept");
  try {
    return chooseType(accept, [own, V2_TYPE, JSON_TYPE]);
  } catch {
    throw new BrokerlessError(
      "format_mismatch",
      `Accept is ${JSON.stringify(accept)}; consumer "${name}" has the format ${format}, which is ${own}`,
      { field: "Accept" },
    );
  }
}

/** Throws `invalid_request` for a header that is no number. */
function seenOf(exchange: Exchange): number | undefined {
  const text = exchange.call.header(SEQUENCE_HEADER.toLowerCase());
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new BrokerlessError("invalid_request", `${SEQUENCE_HEADER} is a whole number from 0; it is ${JSON.stringify(text)}`, {
    field: SEQUENCE_HEADER,
  });
}

function requireRead(exchange: Exchange, all: readonly { readonly topic: string }[]): void {
  for (const name of new Set(all.map(({ topic }) => topic))) exchange.require({ resource: "topic", operation: "read", name });
}

/** What is wrong with a config, by Confluent's own word for it. */
function asConfigError(error: unknown): unknown {
  if (!(error instanceof BrokerlessError) || error.code !== "invalid_request") return error;
  const { field, message } = error;
  if (field === undefined || field === "body" || field === "name") return error;
  return new BrokerlessError("invalid_consumer_config", message, { field });
}

async function consumerOf(exchange: Exchange): Promise<RestConsumer> {
  const { group, name } = refOf(exchange);
  return (await (await groupsOf(exchange)).restConsumers.read(group, name)).consumer;
}

async function partsOf(exchange: Exchange): Promise<rest.RestParts> {
  return { groups: await groupsOf(exchange), log: exchange.surface.log };
}

function refOf(exchange: Exchange): { group: string; name: string } {
  return { group: exchange.param("group"), name: exchange.param("instance") };
}
