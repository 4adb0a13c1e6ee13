/** `GET /topics/{topic}/partitions/{partition}/records/{offset}`: one record, as JSON, as an event, or its value alone. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { readShown } from "../../log/read/shown.ts";
import { noContent, type Reply, type ReplyBody } from "../call.ts";
import { EVENT_JSON } from "../cloudevents/event.ts";
import { eventHeaders, writeCloudEvent } from "../cloudevents/out.ts";
import type { Exchange } from "../exchange.ts";
import { chooseType } from "../negotiate.ts";
import { FORMATS } from "./payload.ts";
import { isolationSchema } from "./position.ts";
import { writeRecord } from "./representations.ts";
import { walkRecords } from "./walk.ts";
import { JsonWriter } from "./writer.ts";

export const oneQuery = z.strictObject({
  isolation: isolationSchema,
  format: z.enum(FORMATS).default("auto").describe("what key and value are shown as in JSON"),
});

const BYTES = "application/octet-stream";
export const ONE_TYPES: readonly string[] = ["application/json", EVENT_JSON, BYTES];

export async function readOne(exchange: Exchange<z.infer<typeof oneQuery>>): Promise<Reply> {
  const { surface, call, query } = exchange;
  const topic = exchange.param("topic");
  const partition = exchange.partition();
  const text = exchange.param("offset");
  if (!/^\d{1,15}$/.test(text)) {
    throw new BrokerlessError("invalid_request", `an offset is a whole number from 0; it is ${JSON.stringify(text)}`, {
      field: "offset",
    });
  }
  const offset = Number(text);
  const type = chooseType(call.header("accept"), ONE_TYPES);
  const result = await readShown(surface.log, { topic, partition, offset, maxBytes: 1, isolation: query.isolation });
  const { logStartOffset, logEndOffset } = result;
  if (offset >= logEndOffset) {
    throw new BrokerlessError("offset_out_of_range", `offset ${offset} is not written yet; the log ends at ${logEndOffset}`, {
      field: "offset",
      details: { logStartOffset, logEndOffset },
    });
  }
  const place = { topic, partition, format: query.format };
  const headers: Record<string, string> = {
    "content-type": type,
    "cache-control": "public, max-age=3600, immutable",
    vary: "accept, accept-encoding",
  };
  let body: ReplyBody | undefined;
  walkRecords(result.batches, surface.codecs, offset, offset + 1, (record, timestampType) => {
    if (type === BYTES) {
      // Whatever a producer called its bytes, a browser must not run them.
      Object.assign(headers, eventHeaders(record), { "content-security-policy": "sandbox; default-src 'none'" });
      const value = record.value();
      body = value === null ? null : value.slice();
      return;
    }
    const out = new JsonWriter(record.valueBytes * 2 + 1024);
    if (type === EVENT_JSON) writeCloudEvent(out, place, record);
    else {
      out.ascii(`{"topic":"${topic}","partition":${partition},`);
      writeRecord(out, place, record, timestampType);
    }
    body = out.take();
  });
  if (body === undefined) {
    throw new BrokerlessError(
      "not_found",
      `there is no record at offset ${offset}: it was compacted away, or is none that applications see`,
      {
        field: "offset",
      },
    );
  }
  if (body === null) return { ...noContent(), headers };
  return { status: 200, headers, body, compressible: type !== BYTES };
}
