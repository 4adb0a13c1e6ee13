/** `POST /topics/{topic}/events`: CloudEvents in either mode. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import type { ParsedRecord } from "../json/records.ts";
import { unsupportedType } from "../produce/media.ts";
import { type ProduceQuery, produceOptions } from "../produce/options.ts";
import { appendRecords } from "../produce/to-topic.ts";
import { EVENT_BATCH_JSON, EVENT_JSON } from "./event.ts";
import { binaryEvent, structuredEvents } from "./in.ts";

export async function produceEvents(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const { call } = exchange;
  const options = produceOptions(exchange, false);
  const type = exchange.contentType();
  const structured = type === EVENT_JSON || type === EVENT_BATCH_JSON;
  const binary = call.header("ce-specversion") !== undefined || call.header("ce-id") !== undefined;
  if (!structured && type?.startsWith("application/cloudevents")) throw unsupportedType(type, [EVENT_JSON, EVENT_BATCH_JSON]);
  if (!structured && !binary) {
    throw new BrokerlessError(
      "unsupported_media_type",
      `an event is sent as ${EVENT_JSON}, as ${EVENT_BATCH_JSON}, or with its attributes in ce-* headers; Content-Type is ${JSON.stringify(type ?? "missing")}`,
      { field: "Content-Type" },
    );
  }
  const body = await exchange.body();
  const records: ParsedRecord[] = structured ? structuredEvents(body, type === EVENT_BATCH_JSON) : [binaryEvent(call, body)];
  return appendRecords(exchange, exchange.param("topic"), records, {
    options,
    single: type !== EVENT_BATCH_JSON,
    fieldOf: (index) => `[${index}]`,
  });
}
