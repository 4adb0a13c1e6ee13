/** Confluent's produce routes: one record, a stream of records, and `records:batch`. */
import { BrokerlessError } from "../../base/errors.ts";
import type { AppendRequest, AppendResult, Topic } from "../../log/types.ts";
import { jsonText, type Reply } from "../call.ts";
import { asBrokerlessError, errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { DocumentSplitter, type JsonDocument } from "../json/documents.ts";
import { type ParsedRecord, parseDocument, parseRecords } from "../json/records.ts";
import { V3_ENTRIES, V3_RECORD } from "../json/shapes.ts";
import { requireUtf8 } from "../json/text.ts";
import { Signal } from "../signal.ts";
import { appendAndReply, appendGroups, committedFirst } from "./append.ts";
import { type Group, groupByPartition } from "./grouping.ts";
import { JSON_TYPE, unsupportedType } from "./media.ts";
import { type ProduceOptions, type ProduceQuery, partitionerFor, produceOptions } from "./options.ts";
import { encodeGroups, requirePartitions } from "./to-topic.ts";

/** Bytes of records whose appends are under way in one stream; more wait in the connection. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;

/** `POST /v3/clusters/{cluster_id}/topics/{topic_name}/records`. */
export async function produceV3(exchange: Exchange<ProduceQuery>, clusterId: string): Promise<Reply> {
  requireJson(exchange);
  const { surface, call } = exchange;
  const options = produceOptions(exchange, false);
  const name = exchange.param("topic_name");
  if (call.contentLength === undefined) {
    requirePlain(options);
    const topic = await surface.log.topic(name);
    return streamReply(stream(exchange, topic, clusterId, documentsOf(exchange.pieces(), surface.limits.documentBytes)));
  }
  const body = await exchange.body();
  let record: ParsedRecord;
  try {
    record = parseRecords(body, V3_RECORD, surface.limits).records[0] as ParsedRecord;
  } catch (error) {
    const documents = severalDocuments(body, surface.limits.bodyBytes);
    if (documents === undefined) throw error;
    requirePlain(options);
    return streamReply(stream(exchange, await surface.log.topic(name), clusterId, arrayOf([documents])));
  }
  const topic = await surface.log.topic(name);
  const [request] = encodeGroups(
    exchange,
    topic,
    groupByPartition([record], topic, partitionerFor(surface, options)),
    fieldOfRecord,
  );
  if (options.fireAndForget) return appendAndReply(exchange, request as AppendRequest, options);
  const result = await surface.log.append(request as AppendRequest, options.append);
  return jsonText(reportText(appendedRecord(record, result, 0, surface.clock.nowMs()), clusterId));
}

/** A body with a length may hold several documents all the same. */
function severalDocuments(body: Uint8Array, limitBytes: number): JsonDocument[] | undefined {
  try {
    const splitter = new DocumentSplitter(limitBytes);
    const documents = splitter.push(body);
    splitter.end();
    return documents.length > 1 ? documents : undefined;
  } catch {
    return undefined;
  }
}

function requirePlain({ append, fireAndForget }: ProduceOptions): void {
  const field = append !== undefined ? "Idempotency-Key" : fireAndForget ? "acks" : undefined;
  if (field === undefined) return;
  throw new BrokerlessError(
    "invalid_request",
    `${field} does not go with a stream of records, of which each is answered for itself`,
    { field },
  );
}

/** `POST /v3/clusters/{cluster_id}/topics/{topic_name}/records:batch`. */
export async function produceV3Batch(exchange: Exchange<ProduceQuery>, clusterId: string): Promise<Reply> {
  requireJson(exchange);
  const { surface } = exchange;
  const options = produceOptions(exchange, false);
  const { records } = parseRecords(await exchange.body(), V3_ENTRIES, surface.limits);
  const topic = await surface.log.topic(exchange.param("topic_name"));
  const fieldOf = (index: number): string => `entries[${index}]`;
  const outcomes =
    options.append === undefined
      ? await Promise.all(appendEach(exchange, topic, records, fieldOf))
      : await appendAsOne(exchange, topic, records, fieldOf, options);
  const successes: string[] = [];
  const failures: string[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    const id = JSON.stringify((records[i] as ParsedRecord).id);
    if (outcome instanceof BrokerlessError) failures.push(`{"id":${id},${JSON.stringify(errorBody(outcome)).slice(1)}`);
    else successes.push(`{"id":${id},${reportText(outcome, clusterId).slice(1)}`);
  }
  const reply = jsonText(`{"successes":[${successes.join(",")}],"failures":[${failures.join(",")}]}`, 207);
  return options.fireAndForget ? committedFirst(reply) : reply;
}

/** With an idempotency key all entries are written or none. */
async function appendAsOne(
  exchange: Exchange,
  topic: Topic,
  records: readonly ParsedRecord[],
  fieldOf: (index: number) => string,
  options: ProduceOptions,
): Promise<Appended[]> {
  const groups = groupByPartition(records, topic, partitionerFor(exchange.surface, options));
  await requirePartitions(exchange, topic, groups);
  const results = await appendGroups(exchange, encodeGroups(exchange, topic, groups, fieldOf), options.append);
  const nowMs = exchange.surface.clock.nowMs();
  const outcomes: Appended[] = [];
  for (const [g, group] of groups.entries()) {
    for (const [i, record] of group.records.entries()) {
      outcomes[group.indexes[i] as number] = appendedRecord(record, results[g] as AppendResult, i, nowMs);
    }
  }
  return outcomes;
}

interface Appended {
  readonly record: ParsedRecord;
  readonly result: AppendResult;
  readonly offset: number;
  readonly timestampMs: number;
}

/** Appends records, those of one partition together; each answers for itself, in the order of the request. */
function appendEach(
  exchange: Exchange,
  topic: Topic,
  records: readonly ParsedRecord[],
  fieldOf: (index: number) => string,
): Promise<Appended | BrokerlessError>[] {
  const { log, clock, partitioner } = exchange.surface;
  const outcomes: Promise<Appended | BrokerlessError>[] = [];
  const nowMs = clock.nowMs();
  const append = (group: Group): void => {
    let appended: Promise<AppendResult | BrokerlessError>;
    try {
      const [request] = encodeGroups(exchange, topic, [group], fieldOf);
      appended = log.append(request as NonNullable<typeof request>).catch((error: unknown) => told(exchange, error));
    } catch (error) {
      // One record that cannot be taken is not the others' fault.
      if (group.records.length > 1) {
        for (const [i, record] of group.records.entries()) {
          append({ partition: group.partition, records: [record], indexes: [group.indexes[i] as number] });
        }
        return;
      }
      appended = Promise.resolve(told(exchange, error));
    }
    for (const [i, record] of group.records.entries()) {
      outcomes[group.indexes[i] as number] = appended.then((result) =>
        result instanceof BrokerlessError ? result : appendedRecord(record, result, i, nowMs),
      );
    }
  };
  for (const group of groupByPartition(records, topic, partitioner)) append(group);
  return outcomes;
}

function appendedRecord(record: ParsedRecord, result: AppendResult, index: number, nowMs: number): Appended {
  const timestampMs = result.logAppendTimeMs ?? record.timestampMs ?? nowMs;
  return { record, result, offset: result.baseOffset + index, timestampMs };
}

/** The error to tell; one that is a bug is told to the server's log too. */
function told(exchange: Exchange, error: unknown): BrokerlessError {
  if (!(error instanceof BrokerlessError)) exchange.surface.onInternalError(error, exchange.call.path);
  return asBrokerlessError(error);
}

function fieldOfRecord(): string {
  return "record";
}

function reportText({ record, result, offset, timestampMs }: Appended, clusterId: string): string {
  return (
    `{"error_code":200,"cluster_id":"${clusterId}","topic_name":"${result.topic}","partition_id":${result.partition},` +
    `"offset":${offset},"timestamp":"${new Date(timestampMs).toISOString()}"` +
    `${payloadText("key", record.keyType, record.key)}${payloadText("value", record.valueType, record.value)}}`
  );
}

function payloadText(name: string, type: string | undefined, bytes: Uint8Array | null): string {
  return type === undefined ? "" : `,"${name}":{"type":"${type}","size":${bytes?.byteLength ?? 0}}`;
}

function streamReply(body: AsyncIterable<Uint8Array>): Reply {
  return { status: 200, headers: { "content-type": JSON_TYPE }, body, compressible: false };
}

/**
 * Answers each document of a streamed body by a document of its own, in order. Reading goes on while appends are under
 * way, up to a window; what is wrong with the stream itself is its last answer.
 */
async function* stream(
  exchange: Exchange,
  topic: Topic,
  clusterId: string,
  source: AsyncIterable<readonly JsonDocument[]>,
): AsyncGenerator<Uint8Array> {
  const { budget } = exchange.surface;
  const waiting: Promise<string>[] = [];
  let windowBytes = 0;
  let ended = false;
  const answered = new Signal();
  const room = new Signal();

  const read = async (): Promise<void> => {
    try {
      for await (const found of source) {
        const sizeBytes = found.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
        budget.take(sizeBytes);
        windowBytes += sizeBytes;
        const texts = takeDocuments(exchange, topic, clusterId, found).finally(() => {
          budget.give(sizeBytes);
          windowBytes -= sizeBytes;
          room.raise();
        });
        waiting.push(texts);
        answered.raise();
        while (windowBytes > STREAM_WINDOW_BYTES) await room.next();
      }
    } catch (error) {
      waiting.push(Promise.resolve(`${JSON.stringify(errorBody(told(exchange, error)))}\n`));
    }
    ended = true;
    answered.raise();
  };
  const reading = read();

  for (;;) {
    const next = waiting.shift();
    if (next !== undefined) yield Buffer.from(await next);
    else if (ended) break;
    else await answered.next();
  }
  await reading;
}

async function* documentsOf(pieces: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<JsonDocument[]> {
  const splitter = new DocumentSplitter(limitBytes);
  for await (const piece of pieces) {
    const found = splitter.push(piece);
    if (found.length > 0) yield found;
    if (splitter.failure !== undefined) break;
  }
  splitter.end();
}

async function* arrayOf<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

/** Begins the appends of these documents at once; answers their reports when all are done. */
async function takeDocuments(
  exchange: Exchange,
  topic: Topic,
  clusterId: string,
  found: readonly JsonDocument[],
): Promise<string> {
  const { limits } = exchange.surface;
  const records: ParsedRecord[] = [];
  const outcomes: (BrokerlessError | number)[] = [];
  for (const { bytes, position } of found) {
    try {
      requireUtf8(bytes);
      outcomes.push(records.length);
      records.push(parseDocument(bytes, V3_RECORD, limits, position).records[0] as ParsedRecord);
    } catch (error) {
      outcomes[outcomes.length - 1] = told(exchange, error);
    }
  }
  const appended = records.length === 0 ? [] : await Promise.all(appendEach(exchange, topic, records, fieldOfRecord));
  let text = "";
  for (const outcome of outcomes) {
    const report = typeof outcome === "number" ? (appended[outcome] as Appended | BrokerlessError) : outcome;
    text += report instanceof BrokerlessError ? `${JSON.stringify(errorBody(report))}\n` : `${reportText(report, clusterId)}\n`;
  }
  return text;
}

function requireJson(exchange: Exchange): void {
  const type = exchange.contentType();
  if (type !== undefined && type !== JSON_TYPE) throw unsupportedType(type, [JSON_TYPE]);
}
