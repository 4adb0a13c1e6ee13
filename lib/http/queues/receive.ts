/** `POST /v1/queues/{group}/receive`: messages to work on. */
import * as z from "zod";
import type { AcquireAnswer, ShareGroupsApi, SharePartition } from "../../groups/share/types.ts";
import { forEachRecord, readBatchHeader } from "../../kafka/index.ts";
import type { Reply } from "../call.ts";
import { FORMATS, type Format } from "../consume/payload.ts";
import { writeRecord } from "../consume/representations.ts";
import { JsonWriter } from "../consume/writer.ts";
import { errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import type { Limits } from "../limits.ts";
import { jsonBody } from "../routes/topics.ts";
import { encodeReceipt } from "./receipt.ts";

/** Kafka's bounds of `share.record.lock.duration.ms`. */
export const LOCK_MS = { least: 15_000, most: 60_000 };
const MESSAGES_MOST = 1_000;
const WAIT_MOST_MS = 20_000;
const DEFAULT_MAX_BYTES = 1024 * 1024;
const HOLDER_BYTES = 9;

export const visibilitySchema = z
  .int()
  .min(LOCK_MS.least)
  .max(LOCK_MS.most)
  .describe("how long the messages are this worker's, as KIP-932 bounds it; extend prolongs it");

export function receiveSchema(limits: Limits) {
  return z.strictObject({
    topics: z.array(z.string()).min(1).max(100),
    max_messages: z.int().min(1).max(MESSAGES_MOST).default(10),
    max_bytes: z.int().min(1).max(limits.readBytes).default(Math.min(DEFAULT_MAX_BYTES, limits.readBytes)),
    wait_ms: z
      .int()
      .min(0)
      .max(Math.min(WAIT_MOST_MS, limits.waitMs))
      .default(0)
      .describe("how long to wait for a first message"),
    visibility_timeout_ms: visibilitySchema.optional(),
    order: z
      .enum(["turn", "priority"])
      .default("turn")
      .describe("priority: topics and partitions in their order, so that what is in the first ones goes first"),
    format: z.enum(FORMATS).default("auto"),
  });
}

type ReceiveBody = z.infer<ReturnType<typeof receiveSchema>>;

/** The operations are only there where share groups are. */
export function sharesOf({ surface }: Exchange): Promise<ShareGroupsApi> {
  return (surface.shares as () => Promise<ShareGroupsApi>)();
}

export async function receive(exchange: Exchange, schema: z.ZodType<ReceiveBody>): Promise<Reply> {
  const { surface, call } = exchange;
  const group = exchange.param("group");
  const body = await jsonBody(exchange, schema);
  const names = [...new Set(body.topics)];
  for (const name of names) exchange.require({ resource: "topic", operation: "read", name });
  const topics = await Promise.all(names.map((name) => surface.log.topic(name)));
  const partitions = topics.flatMap(({ id, partitions: count }) =>
    Array.from({ length: count }, (_, partition): SharePartition => ({ topicId: id, partition })),
  );
  const shares = await sharesOf(exchange);
  const holder = Buffer.from(surface.ids.secret(HOLDER_BYTES)).toString("base64url");
  const answer = await shares.acquire({
    group,
    holder,
    partitions,
    order: body.order,
    maxRecords: body.max_messages,
    maxBytes: body.max_bytes,
    maxWaitMs: surface.stopping.aborted ? 0 : body.wait_ms,
    lockMs: body.visibility_timeout_ms,
    firstFrom: "earliest",
    signal: body.wait_ms === 0 ? undefined : AbortSignal.any([call.signal(), surface.stopping]),
  });
  const failed = answer.partitions.find(({ error }) => error !== undefined);
  if (failed?.error !== undefined && answer.partitions.every(({ acquired }) => acquired.length === 0)) throw failed.error;
  const reply = (shown: AcquireAnswer): Reply => ({
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: render(exchange, shown, holder, body.format),
    compressible: true,
  });
  if (call.signal().aborted) {
    // Nobody is there to take them.
    await shares.releaseAll(group, holder, answer.partitions);
    return reply({ ...answer, partitions: [] });
  }
  try {
    return reply(answer);
  } catch (error) {
    await shares.releaseAll(group, holder, answer.partitions);
    throw error;
  }
}

function render(exchange: Exchange, { partitions, lockMs }: AcquireAnswer, holder: string, format: Format): Uint8Array {
  const { codecs } = exchange.surface;
  const out = new JsonWriter();
  let before = '{"messages":[';
  for (const { topic, topicId, partition, batches, acquired } of partitions) {
    let at = 0;
    const first = acquired[0]?.firstOffset ?? 0;
    const end = (acquired.at(-1)?.lastOffset ?? -1) + 1;
    // One batch each, and checked when they were acquired.
    for (const bytes of batches) {
      const { timestampType } = readBatchHeader(bytes, 0);
      forEachRecord(bytes, 0, codecs, (record) => {
        if (record.offset >= end) return false;
        if (record.offset < first) return true;
        while (at < acquired.length && (acquired[at]?.lastOffset as number) < record.offset) at++;
        const range = acquired[at];
        if (range === undefined || record.offset < range.firstOffset) return true;
        const receipt = encodeReceipt({ topic, topicId, partition, offset: record.offset, holder });
        out.ascii(
          `${before}{"receipt":"${receipt}","delivery_count":${range.deliveryCount},"topic":"${topic}","partition":${partition},`,
        );
        writeRecord(out, { topic, partition, format }, record, timestampType);
        before = ",";
        return true;
      });
    }
  }
  if (before !== ",") out.ascii(before);
  const errors = partitions.flatMap(({ topic, partition, error }) =>
    error === undefined ? [] : [{ topic, partition, ...errorBody(error) }],
  );
  out.ascii("],");
  out.raw(JSON.stringify({ visibility_timeout_ms: lockMs, errors }).slice(1));
  return out.take();
}
