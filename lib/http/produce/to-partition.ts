/** `POST /topics/{topic}/partitions/{partition}/records`: raw batches, one record as JSON, or a list. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { parseRecords } from "../json/records.ts";
import { FOR_PARTITION } from "../json/shapes.ts";
import { appendAndReply } from "./append.ts";
import { encodeRecords } from "./encode.ts";
import { RAW_BATCHES, shapeOfType } from "./media.ts";
import { type ProduceQuery, produceOptions } from "./options.ts";
import { produceSettings } from "./settings.ts";

export async function produceToPartition(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const { surface } = exchange;
  const topic = exchange.param("topic");
  const partition = exchange.partition();
  const options = produceOptions(exchange, true);
  const type = exchange.contentType();
  if (type === RAW_BATCHES) {
    if (options.producer !== undefined) throw inTheBatches();
    const batches = await exchange.body();
    requireBatches(batches);
    return appendAndReply(exchange, { topic, partition, batches }, options);
  }
  const shape = shapeOfType(type, FOR_PARTITION, false);
  const { records, single } = parseRecords(await exchange.body(), shape, surface.limits);
  const settings = produceSettings(surface.log, await surface.log.topic(topic));
  const batches = encodeRecords(records, {
    topic,
    settings,
    codecs: surface.codecs,
    nowMs: surface.clock.nowMs(),
    producer: options.producer,
    fieldOf: (index) => (single ? "record" : `records[${index}]`),
  });
  return appendAndReply(exchange, { topic, partition, batches }, options);
}

function inTheBatches(): BrokerlessError {
  return new BrokerlessError("invalid_request", "Producer-Id is for JSON; raw batches hold their producer themselves", {
    field: "Producer-Id",
  });
}

export function requireBatches(batches: Uint8Array): void {
  if (batches.byteLength === 0)
    throw new BrokerlessError("invalid_request", "the body is empty; send one record batch at least", { field: "body" });
}
