/** `POST /topics/{topic}/records`: the server chooses the partition where the record names none. */
import { BrokerlessError } from "../../base/errors.ts";
import type { AppendRequest, AppendResult, Topic } from "../../log/types.ts";
import { jsonText, type Reply } from "../call.ts";
import { HTTP_ERRORS } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { type ParsedRecord, parseRecords } from "../json/records.ts";
import { FOR_TOPIC } from "../json/shapes.ts";
import { acceptedReply, appendAndReply, appendGroups, begin, committedFirst } from "./append.ts";
import { encodeRecords } from "./encode.ts";
import { type Group, groupByPartition } from "./grouping.ts";
import { RAW_BATCHES, shapeOfType } from "./media.ts";
import { type ProduceOptions, type ProduceQuery, partitionerFor, produceOptions } from "./options.ts";
import { recordsOfBatches } from "./raw.ts";
import { produceSettings } from "./settings.ts";

export async function produceToTopic(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const { surface } = exchange;
  const name = exchange.param("topic");
  const options = produceOptions(exchange, false);
  const type = exchange.contentType();
  const shape = type === RAW_BATCHES ? undefined : shapeOfType(type, FOR_TOPIC, true);
  const body = await exchange.body();
  const { records, single } =
    shape === undefined ? { records: recordsOfBatches(body, surface), single: false } : parseRecords(body, shape, surface.limits);
  const v2 = shape !== undefined && shape.payload !== "typed";
  return appendRecords(exchange, name, records, { options, single, v2, fieldOf: single ? () => "record" : recordField });
}

interface HowToAppend {
  readonly options: ProduceOptions;
  /** Answer as for one record, not as for a list. */
  readonly single: boolean;
  /** Answer in part-failed cases as Confluent's v2 does. */
  readonly v2?: boolean;
  readonly fieldOf: (index: number) => string;
}

/** Appends records of one request, each to the partition where it belongs. */
export async function appendRecords(
  exchange: Exchange,
  name: string,
  records: readonly ParsedRecord[],
  how: HowToAppend,
): Promise<Reply> {
  const topic = await exchange.surface.log.topic(name);
  const groups = groupByPartition(records, topic, partitionerFor(exchange.surface, how.options));
  await requirePartitions(exchange, topic, groups);
  const requests = encodeGroups(exchange, topic, groups, how.fieldOf);
  if (how.single) return appendAndReply(exchange, requests[0] as AppendRequest, how.options);
  return listReply(exchange, name, groups, requests, how.options, how.v2 === true);
}

/** Throws `unknown_partition`, before anything is written, when a record names a partition that is not there. */
export async function requirePartitions(exchange: Exchange, topic: Topic, groups: readonly Group[]): Promise<void> {
  for (const { partition } of groups) {
    // Asks afresh: the topic at hand may be older than its newest partition.
    if (partition >= topic.partitions) await exchange.surface.log.partitions(topic.name, [partition]);
  }
}

export function encodeGroups(
  exchange: Exchange,
  topic: Topic,
  groups: readonly Group[],
  fieldOf: (index: number) => string,
): AppendRequest[] {
  const { log, codecs, clock } = exchange.surface;
  const settings = produceSettings(log, topic);
  const nowMs = clock.nowMs();
  return groups.map(({ partition, records, indexes }) => ({
    topic: topic.name,
    partition,
    batches: encodeRecords(records, {
      topic: topic.name,
      settings,
      codecs,
      nowMs,
      fieldOf: (index) => fieldOf(indexes[index] as number),
    }),
  }));
}

function recordField(index: number): string {
  return `records[${index}]`;
}

async function listReply(
  exchange: Exchange,
  topic: string,
  groups: readonly Group[],
  requests: readonly AppendRequest[],
  options: ProduceOptions,
  v2: boolean,
): Promise<Reply> {
  if (options.fireAndForget && exchange.surface.outlivesAnswer) {
    await begin(exchange, appendGroups(exchange, requests, options.append));
    return acceptedReply(topic);
  }
  const results = await appendGroups(exchange, requests, options.append);
  const partial = results.some((result) => result instanceof BrokerlessError);
  const reply = jsonText(
    `{"topic":"${topic}","offsets":[${offsetTexts(groups, results).join(",")}]}`,
    partial && !v2 ? 207 : 200,
  );
  return options.fireAndForget ? committedFirst(reply) : reply;
}

/** What became of each record, in the order of the request. */
function offsetTexts(groups: readonly Group[], results: readonly (AppendResult | BrokerlessError)[]): string[] {
  const texts: string[] = [];
  for (const [g, group] of groups.entries()) {
    const result = results[g] as AppendResult | BrokerlessError;
    if (result instanceof BrokerlessError) {
      const told = `{"partition":${group.partition},"offset":null,"error_code":${HTTP_ERRORS[result.code].errorCode},"error":${JSON.stringify(result.message)},"code":"${result.code}","outcome":"${result.outcome}"}`;
      for (const index of group.indexes) texts[index] = told;
    } else {
      let offset = result.baseOffset;
      for (const index of group.indexes) texts[index] = `{"partition":${result.partition},"offset":${offset++}}`;
    }
  }
  return texts;
}
