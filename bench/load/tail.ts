/** A reader at the end of a partition while somebody writes at a steady pace: how long from the send to the record. */
import { batchHeaders, decodeBatch, encodeBatch } from "../../lib/kafka/index.ts";
import { Connection, requestBytes } from "./connection.ts";
import type { Measured, Order } from "./order.ts";
import { percentiles } from "./percentiles.ts";

const RAW = "application/vnd.kafka.recordbatch.v2";

export async function readTail(order: Extract<Order, { kind: "tail" }>): Promise<Measured> {
  const [writer, reader] = await Promise.all([Connection.open(order.port), Connection.open(order.port)]);
  const path = `/topics/${order.topic}/partitions/0/records`;
  const total = Math.round((order.durationMs / 1000) * order.perSecond);
  const latencies: number[] = [];
  const reading = (async () => {
    let offset = 0;
    while (latencies.length < total) {
      const reply = await reader.send(requestBytes("GET", `${path}?offset=${offset}&timeout=5000`, { accept: RAW }));
      if (reply.status !== 200) throw new Error(`tail: ${reply.status} ${Buffer.from(reply.body).toString()}`);
      const now = performance.now();
      for (const batch of batchHeaders(reply.body)) {
        for (const record of decodeBatch(reply.body, batch.at, {})) {
          if (record.offset < offset) continue;
          offset = record.offset + 1;
          latencies.push(now - Number(Buffer.from(record.value ?? []).toString()));
        }
      }
    }
  })();
  const begun = performance.now();
  for (let i = 0; i < total; i++) {
    const due = begun + (i * 1000) / order.perSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const value = Buffer.from(String(performance.now()));
    const reply = await writer.send(
      requestBytes("POST", path, { "content-type": RAW }, encodeBatch([{ key: null, value }], { timestampMs: Date.now() })),
    );
    if (reply.status !== 200) throw new Error(`tail: ${reply.status} ${Buffer.from(reply.body).toString()}`);
  }
  await reading;
  writer.close();
  reader.close();
  return percentiles(latencies.slice(Math.min(20, total / 4)));
}
