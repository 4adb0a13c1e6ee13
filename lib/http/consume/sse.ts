/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one event a record, its `id` the
 * place to go on from, so that a browser's EventSource resumes by itself with Last-Event-ID.
 *
 * Of one partition the id is the record's offset. Of a whole topic it holds, for each partition in order, the offset
 * to be read next: `5,0,17`.
 */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { readShown } from "../../log/read/shown.ts";
import type { Isolation, ReadResult } from "../../log/types.ts";
import type { Reply } from "../call.ts";
import { asBrokerlessError, errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { Signal } from "../signal.ts";
import { FORMATS, type Format } from "./payload.ts";
import { isolationSchema, positionSchema, resolvePosition } from "./position.ts";
import { writeRecord } from "./representations.ts";
import { walkRecords } from "./walk.ts";
import { JsonWriter } from "./writer.ts";

export const EVENT_STREAM = "text/event-stream";

const RETRY_MS = 2000;
const FETCH_BYTES = 256 * 1024;

export const eventsQuery = z.strictObject({
  offset: positionSchema.default("latest"),
  isolation: isolationSchema,
  format: z.enum(FORMATS).default("auto").describe("what keys and values are shown as"),
});

export type EventsQuery = z.infer<typeof eventsQuery>;

export interface EventsRequest {
  readonly topic: string;
  readonly partition: number;
  readonly position: string;
  readonly format: Format;
  readonly isolation: Isolation;
}

/** The events of one partition. Throws before the stream begins what is wrong with where it should. */
export async function partitionEvents(exchange: Exchange, request: EventsRequest): Promise<Reply> {
  const { topic, partition, position, format, isolation } = request;
  const { log } = exchange.surface;
  const lastId = exchange.call.header("last-event-id");
  let offset: number;
  if (lastId === undefined || lastId === "") offset = await resolvePosition(log, topic, partition, position, isolation);
  else {
    if (!/^\d{1,15}$/.test(lastId)) throw badEventId(lastId, "the offset of a record");
    offset = Number(lastId) + 1;
  }
  const first = await readShown(log, { topic, partition, offset, maxBytes: FETCH_BYTES, isolation });
  const cursor = new Cursor(topic, partition, offset, (record) => String(record));
  return eventReply(events(exchange, [cursor], [first], { format, isolation }));
}

/** The events of all partitions of a topic, in order within each. */
export async function topicEvents(exchange: Exchange<EventsQuery>): Promise<Reply> {
  const { query, surface, call } = exchange;
  const { log, limits } = surface;
  const topic = await log.topic(exchange.param("topic"));
  if (topic.partitions > limits.streamPartitions) {
    throw new BrokerlessError(
      "invalid_request",
      `topic "${topic.name}" has ${topic.partitions} partitions; one stream takes at most ${limits.streamPartitions}: read /topics/${topic.name}/partitions/{partition}/events`,
      { field: "topic" },
    );
  }
  const lastId = call.header("last-event-id");
  const given = lastId === undefined || lastId === "" ? undefined : parseNextOffsets(lastId, topic.partitions);
  const all = Array.from({ length: topic.partitions }, (_, partition) => partition);
  const starts = await Promise.all(
    // A partition that is newer than the id is read from its beginning: nothing of it was seen.
    all.map(
      (p) => given?.[p] ?? resolvePosition(log, topic.name, p, given === undefined ? query.offset : "earliest", query.isolation),
    ),
  );
  const firsts = await Promise.all(
    all.map((partition) =>
      readShown(log, {
        topic: topic.name,
        partition,
        offset: starts[partition] as number,
        maxBytes: FETCH_BYTES,
        isolation: query.isolation,
      }),
    ),
  );
  const nexts = [...starts];
  const cursors = all.map(
    (partition) =>
      new Cursor(topic.name, partition, starts[partition] as number, (offset) => {
        nexts[partition] = offset + 1;
        return nexts.join(",");
      }),
  );
  return eventReply(events(exchange, cursors, firsts, query));
}

function parseNextOffsets(id: string, partitions: number): number[] {
  const parts = id.split(",");
  if (parts.length > partitions || !parts.every((part) => /^\d{1,15}$/.test(part))) {
    throw badEventId(id, `the next offset of each of at most ${partitions} partitions, with commas between`);
  }
  return parts.map(Number);
}

function badEventId(id: string, wanted: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `Last-Event-ID takes ${wanted}; it is ${JSON.stringify(id.slice(0, 100))}`, {
    field: "Last-Event-ID",
  });
}

/** How far one partition has been read. */
class Cursor {
  readonly topic: string;
  readonly partition: number;
  offset: number;
  readonly idOf: (offset: number) => string;

  constructor(topic: string, partition: number, offset: number, idOf: (offset: number) => string) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.idOf = idOf;
  }
}

function eventReply(body: AsyncIterable<Uint8Array>): Reply {
  return {
    status: 200,
    headers: { "content-type": EVENT_STREAM, "cache-control": "no-store", "x-accel-buffering": "no" },
    body,
    compressible: false,
  };
}

/** Reads all cursors side by side and writes what comes, until the client or the server goes. */
async function* events(
  exchange: Exchange,
  cursors: readonly Cursor[],
  firsts: readonly ReadResult[],
  { format, isolation }: Pick<EventsRequest, "format" | "isolation">,
): AsyncGenerator<Uint8Array> {
  const { log, stopping, limits } = exchange.surface;
  const done = new AbortController();
  const signal = AbortSignal.any([stopping, exchange.call.signal(), done.signal]);
  const arrived: (() => [Cursor, ReadResult])[] = [];
  const arrival = new Signal();
  const arrive = (answer: () => [Cursor, ReadResult]): void => {
    arrived.push(answer);
    arrival.raise();
  };
  const readOn = (cursor: Cursor): void => {
    const { topic, partition, offset } = cursor;
    const waits = { maxWaitMs: limits.heartbeatMs, signal };
    readShown(log, { topic, partition, offset, maxBytes: FETCH_BYTES, isolation, ...waits }).then(
      (result) => arrive(() => [cursor, result]),
      (error: unknown) =>
        arrive(() => {
          throw error;
        }),
    );
  };
  const out = new JsonWriter();
  try {
    out.ascii(`retry: ${RETRY_MS}\n\n`);
    for (const [i, cursor] of cursors.entries()) arrived.push(() => [cursor, firsts[i] as ReadResult]);
    let opening = true;
    while (!signal.aborted) {
      for (let answer = arrived.shift(); answer !== undefined; answer = arrived.shift()) {
        const [cursor, result] = answer();
        writeEvents(exchange, out, cursor, result, format);
        cursor.offset = result.nextOffset;
        readOn(cursor);
        // After the first answers, an empty one is a sign of life.
        if (!opening && result.batches.length === 0) out.ascii(":\n\n");
        if (out.sizeBytes >= FETCH_BYTES) yield out.take();
      }
      opening = false;
      if (out.sizeBytes > 0) yield out.take();
      if (arrived.length === 0) await arrival.next();
    }
  } catch (error) {
    if (signal.aborted) return;
    out.ascii("event: error\ndata: ");
    out.ascii(asciiJson(errorBody(asBrokerlessError(error))));
    out.ascii("\n\n");
    yield out.take();
  } finally {
    done.abort();
  }
}

function writeEvents(exchange: Exchange, out: JsonWriter, cursor: Cursor, result: ReadResult, format: Format): void {
  const place = { topic: cursor.topic, partition: cursor.partition, format };
  walkRecords(result.batches, exchange.surface.codecs, cursor.offset, Number.POSITIVE_INFINITY, (record, timestampType) => {
    out.ascii(`id: ${cursor.idOf(record.offset)}\ndata: {"partition":${cursor.partition},`);
    writeRecord(out, place, record, timestampType);
    out.ascii("\n\n");
  });
}

/** JSON in ASCII alone. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
