/** `POST /topics/{topic}/partitions/{partition}`: Confluent's v2, to one partition. */
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { parseRecords } from "../json/records.ts";
import { FOR_PARTITION } from "../json/shapes.ts";
import { shapeOfType } from "./media.ts";
import { type ProduceQuery, produceOptions } from "./options.ts";
import { appendRecords } from "./to-topic.ts";

export async function produceV2ToPartition(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const topic = exchange.param("topic");
  const partition = exchange.partition();
  const options = produceOptions(exchange, false);
  const shape = shapeOfType(exchange.contentType(), { ...FOR_PARTITION, single: false }, true);
  const { records } = parseRecords(await exchange.body(), { ...shape, partition: undefined }, exchange.surface.limits);
  for (const record of records) record.partition = partition;
  return appendRecords(exchange, topic, records, { options, single: false, v2: true, fieldOf: (index) => `records[${index}]` });
}
