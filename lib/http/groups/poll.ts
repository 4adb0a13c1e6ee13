/** `POST /v1/groups/{group}/poll`: a consumer that has only HTTPS, in one call. */
import * as z from "zod";
import { type Cursor, decodeCursor, encodeCursor, RESETS } from "../../groups/poll/cursor.ts";
import { commitDirty, commitThese, leaveGroup, pollGroup, returned } from "../../groups/poll/poll.ts";
import type { NotCommitted, PollAnswer } from "../../groups/poll/types.ts";
import type { GroupsApi } from "../../groups/types.ts";
import { json, type Reply } from "../call.ts";
import { FORMATS, type Format } from "../consume/payload.ts";
import { isolationSchema } from "../consume/position.ts";
import { writeRecord } from "../consume/representations.ts";
import { walkRecords } from "../consume/walk.ts";
import { JsonWriter } from "../consume/writer.ts";
import { errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import type { Limits } from "../limits.ts";
import { jsonBody } from "../routes/topics.ts";

const cursor = z.string().min(1).describe("what the last poll answered; without it the consumer joins as a new member");
const place = { topic: z.string(), partition: z.int().min(0) };
const places = z.array(z.strictObject(place)).max(10_000);
const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_RECORDS = 500;

export function pollSchema(limits: Limits) {
  return z.strictObject({
    cursor: cursor.optional(),
    topics: z.array(z.string()).min(1).max(1000).optional().describe("what to read; needed to join"),
    topics_regex: z.string().min(1).max(1000).optional().describe("RE2's syntax, of whole topic names"),
    instance_id: z.string().min(1).max(249).optional().describe("a static member: comes back as itself within the session"),
    auto_offset_reset: z.enum(RESETS).optional().describe("where there is no offset to go on from; as said before, else latest"),
    commit: z.boolean().default(true).describe("commit what the last poll returned"),
    seek: z
      .array(z.strictObject({ ...place, offset: z.union([z.int().min(0), z.enum(["earliest", "latest"])]) }))
      .max(10_000)
      .default([]),
    pause: places.default([]),
    resume: places.default([]),
    max_records: z.int().min(0).max(limits.recordsPerRequest).default(DEFAULT_MAX_RECORDS),
    max_bytes: z.int().min(0).max(limits.readBytes).default(Math.min(DEFAULT_MAX_BYTES, limits.readBytes)),
    timeout_ms: z.int().min(0).max(limits.waitMs).default(0).describe("how long to wait for a first record"),
    isolation: isolationSchema,
    format: z.enum(FORMATS).default("auto"),
  });
}

export const commitSchema = z.strictObject({
  cursor,
  offsets: z
    .array(z.strictObject({ ...place, offset: z.int().min(0) }))
    .max(10_000)
    .optional()
    .describe("these, whatever was returned; of partitions that the consumer has"),
});
export const leaveSchema = z.strictObject({ cursor, commit: z.boolean().default(true) });

type PollBody = z.infer<ReturnType<typeof pollSchema>>;

export async function poll(exchange: Exchange, schema: z.ZodType<PollBody>): Promise<Reply> {
  const { surface, call } = exchange;
  const group = exchange.param("group");
  const body = await jsonBody(exchange, schema);
  const before = body.cursor === undefined ? undefined : decodeCursor(body.cursor, group);
  requireTopics(exchange, body, before);
  const answer = await pollGroup(
    { groups: await groupsOf(exchange), log: surface.log },
    {
      group,
      client: clientOf(exchange),
      cursor: before,
      topics: body.topics,
      regex: body.topics_regex,
      instanceId: body.instance_id,
      reset: body.auto_offset_reset,
      commit: body.commit,
      seek: body.seek,
      pause: body.pause,
      resume: body.resume,
      maxBytes: body.max_records === 0 ? 0 : body.max_bytes,
      maxWaitMs: body.timeout_ms,
      isolation: body.isolation,
      signal: AbortSignal.any([call.signal(), surface.stopping]),
    },
  );
  return {
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: render(exchange, answer, body),
    compressible: true,
  };
}

export async function commit(exchange: Exchange): Promise<Reply> {
  const parts = { groups: await groupsOf(exchange) };
  const { cursor: text, offsets } = await jsonBody(exchange, commitSchema);
  const before = decodeCursor(text, exchange.param("group"));
  const answer = await (offsets === undefined ? commitDirty(parts, before) : commitThese(parts, before, offsets));
  return json({
    cursor: encodeCursor(answer.cursor),
    committed: answer.committed,
    not_committed: answer.notCommitted.map(refusal),
  });
}

export async function leave(exchange: Exchange): Promise<Reply> {
  const parts = { groups: await groupsOf(exchange) };
  const body = await jsonBody(exchange, leaveSchema);
  const before = decodeCursor(body.cursor, exchange.param("group"));
  const answer = body.commit ? await commitDirty(parts, before) : { committed: 0, notCommitted: [] };
  await leaveGroup(parts, before, clientOf(exchange));
  return json({ committed: answer.committed, not_committed: answer.notCommitted.map(refusal) });
}

/** The operations are only there where groups are. */
export function groupsOf({ surface }: Exchange): Promise<GroupsApi> {
  return (surface.groups as () => Promise<GroupsApi>)();
}

/** The right to read all that the consumer has, or may be given. */
function requireTopics(exchange: Exchange, body: PollBody, before: Cursor | undefined): void {
  const names = new Set([...(body.topics ?? before?.topics ?? []), ...(before?.positions ?? []).map(({ topic }) => topic)]);
  for (const name of names) exchange.require({ resource: "topic", operation: "read", name });
  // What a pattern will match is not known: all of them.
  if ((body.topics_regex ?? before?.regex) !== undefined) exchange.require({ resource: "topic", operation: "read", name: "" });
}

export function clientOf({ call }: Exchange): { clientId: string; clientHost: string } {
  return { clientId: call.header("client-id") ?? call.header("user-agent")?.slice(0, 100) ?? "http", clientHost: "" };
}

function refusal({ topic, partition, error }: NotCommitted) {
  return { topic, partition, ...errorBody(error) };
}

/** The records first, for only then is known how far they go; then what there is to say about the consumer. */
function render(exchange: Exchange, answer: PollAnswer, body: PollBody): Uint8Array {
  const { codecs } = exchange.surface;
  const out = new JsonWriter();
  const next: { topic: string; partition: number; offset: number }[] = [];
  let left = body.max_records;
  let first = true;
  out.ascii('{"records":[');
  for (const { topic, partition, offset, result } of answer.polled) {
    if (left === 0) break;
    const place = { topic, partition, format: body.format as Format };
    let after = result.nextOffset;
    walkRecords(result.batches, codecs, offset, Number.POSITIVE_INFINITY, (record, timestampType) => {
      if (left === 0) {
        after = Math.min(after, record.offset);
        return;
      }
      left--;
      out.ascii(`${first ? "" : ","}{"topic":"${topic}","partition":${partition},`);
      writeRecord(out, place, record, timestampType);
      first = false;
    });
    next.push({ topic, partition, offset: after });
  }
  const cursorNow = returned(answer.cursor, next);
  const assignment = new Map<string, number[]>();
  for (const { topic, partition } of cursorNow.positions) assignment.set(topic, [...(assignment.get(topic) ?? []), partition]);
  const rest = {
    cursor: encodeCursor(cursorNow),
    member_id: cursorNow.memberId,
    member_epoch: cursorNow.epoch,
    heartbeat_interval_ms: answer.heartbeatIntervalMs,
    rebalanced: answer.rebalanced,
    assignment: [...assignment].map(([topic, partitions]) => ({ topic, partitions })),
    positions: cursorNow.positions.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    committed: answer.committed,
    not_committed: answer.notCommitted.map(refusal),
    resets: answer.resets,
  };
  out.ascii("],");
  out.raw(JSON.stringify(rest).slice(1));
  return out.take();
}
