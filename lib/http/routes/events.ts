/** CloudEvents in, server-sent events out. */
import * as z from "zod";
import { onTopic } from "../access.ts";
import { EVENT_BATCH_JSON, EVENT_JSON, eventSchema } from "../cloudevents/event.ts";
import { produceEvents } from "../cloudevents/produce.ts";
import { EVENT_STREAM, eventsQuery, partitionEvents, topicEvents } from "../consume/sse.ts";
import { chooseType } from "../negotiate.ts";
import { type Operation, operation } from "../operation.ts";
import { PRODUCE_HEADERS, produceQuery } from "../produce/options.ts";
import { accepted, appendedSchema, offsetsSchema } from "./produce.ts";

const TOPIC_EVENTS = "/topics/{topic}/events";

export function eventOperations(): Operation[] {
  return [
    operation({
      id: "produceEvents",
      method: "POST",
      path: TOPIC_EVENTS,
      tag: "events",
      summary: "Append CloudEvents: structured, in batches, or in binary mode with ce-* headers",
      access: onTopic("write", "topic"),
      query: produceQuery,
      headers: {
        ...PRODUCE_HEADERS,
        "ce-id": "binary mode: the event's id",
        "ce-source": "binary mode: its source",
        "ce-type": "binary mode: its type",
        "ce-specversion": "binary mode: 1.0",
      },
      body: { [EVENT_JSON]: eventSchema, [EVENT_BATCH_JSON]: z.array(eventSchema).min(1), "application/octet-stream": "binary" },
      bodyOptional: true,
      responses: {
        200: { description: "durable", content: { "application/json": z.union([appendedSchema, offsetsSchema]) } },
        202: accepted,
      },
      handle: produceEvents,
    }),
    operation({
      id: "partitionEvents",
      method: "GET",
      path: "/topics/{topic}/partitions/{partition}/events",
      tag: "events",
      summary: "Server-sent events of one partition; id is the offset",
      access: onTopic("read", "topic"),
      query: eventsQuery,
      headers: { "Last-Event-ID": "go on after this offset" },
      responses: { 200: { description: "one event a record", content: { [EVENT_STREAM]: "binary" } } },
      handle(exchange) {
        chooseType(exchange.call.header("accept"), [EVENT_STREAM]);
        const { offset, format, isolation } = exchange.query;
        return partitionEvents(exchange, {
          topic: exchange.param("topic"),
          partition: exchange.partition(),
          position: offset,
          format,
          isolation,
        });
      },
    }),
    operation({
      id: "topicEvents",
      method: "GET",
      path: TOPIC_EVENTS,
      tag: "events",
      summary: "Server-sent events of all partitions; id holds the next offset of each",
      access: onTopic("read", "topic"),
      query: eventsQuery,
      headers: { "Last-Event-ID": "go on from the offsets in this id" },
      responses: { 200: { description: "one event a record", content: { [EVENT_STREAM]: "binary" } } },
      handle(exchange) {
        chooseType(exchange.call.header("accept"), [EVENT_STREAM]);
        return topicEvents(exchange);
      },
    }),
  ];
}
