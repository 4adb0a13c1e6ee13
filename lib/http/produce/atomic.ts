/** `POST /v1/produce`: records to several partitions and topics, all or none. */
import { BrokerlessError } from "../../base/errors.ts";
import type { AppendRequest, Topic } from "../../log/types.ts";
import { json, jsonText, type Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type ParsedRecord, parseRecords } from "../json/records.ts";
import { ATOMIC } from "../json/shapes.ts";
import { appendResultText, begin, committedFirst } from "./append.ts";
import { groupByPartition } from "./grouping.ts";
import { JSON_TYPE, unsupportedType } from "./media.ts";
import { type ProduceQuery, partitionerFor, produceOptions } from "./options.ts";
import { encodeGroups, requirePartitions } from "./to-topic.ts";

/** The most partitions of one atomic append; the storage's transactions set it. */
const ATOMIC_PARTITIONS_MOST = 90;

export async function produceAtomically(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const { surface } = exchange;
  const options = produceOptions(exchange, false);
  const type = exchange.contentType();
  if (type !== undefined && type !== JSON_TYPE) throw unsupportedType(type, [JSON_TYPE]);
  const { records } = parseRecords(await exchange.body(), ATOMIC, surface.limits);

  const byTopic = new Map<string, { records: ParsedRecord[]; indexes: number[] }>();
  for (const [i, record] of records.entries()) {
    const name = record.topic as string;
    const group = byTopic.get(name);
    if (group === undefined) byTopic.set(name, { records: [record], indexes: [i] });
    else {
      group.records.push(record);
      group.indexes.push(i);
    }
  }
  for (const name of byTopic.keys()) exchange.require({ resource: "topic", operation: "write", name });
  const topics = await Promise.all([...byTopic.keys()].map((name) => surface.log.topic(name)));
  const requests: AppendRequest[] = [];
  for (const topic of topics) {
    const mine = byTopic.get(topic.name) as { records: ParsedRecord[]; indexes: number[] };
    const groups = groupByPartition(mine.records, topic as Topic, partitionerFor(surface, options));
    await requirePartitions(exchange, topic, groups);
    requests.push(...encodeGroups(exchange, topic, groups, (index) => `records[${mine.indexes[index]}]`));
  }
  if (requests.length > ATOMIC_PARTITIONS_MOST) {
    throw new BrokerlessError(
      "invalid_request",
      `the records go to ${requests.length} partitions; at most ${ATOMIC_PARTITIONS_MOST} can be written as one`,
      { field: "records" },
    );
  }
  if (options.fireAndForget && surface.outlivesAnswer) {
    await begin(exchange, surface.log.appendAtomically(requests, options.append));
    return json({ acks: "0" }, 202);
  }
  const results = await surface.log.appendAtomically(requests, options.append);
  const reply = jsonText(`{"partitions":[${results.map(appendResultText).join(",")}]}`);
  return options.fireAndForget ? committedFirst(reply) : reply;
}
