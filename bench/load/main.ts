/** The load process: takes one order over IPC, runs it, answers what it measured. */
import { randomFillSync } from "node:crypto";
import { encodeBatch } from "../../lib/kafka/index.ts";
import { answering } from "../support/processes.ts";
import { Connection, requestBytes } from "./connection.ts";
import type { Measured, Order } from "./order.ts";
import { percentiles } from "./percentiles.ts";
import { replay } from "./replay.ts";
import { readTail } from "./tail.ts";

answering(run);

async function run(order: Order): Promise<Measured> {
  if (order.kind === "tail") return readTail(order);
  if (order.kind === "replay") return replay(order);
  const bodies = Array.from({ length: 16 }, () => bodyOf(order));
  const requests = bodies.map(({ body, type }) => requestBytes("POST", order.path, { "content-type": type }, body));
  const connections = await Promise.all(Array.from({ length: order.connections }, () => Connection.open(order.port)));
  const latencies: number[] = [];
  const begun = performance.now();
  const warm = begun + order.warmMs;
  const until = warm + order.durationMs;
  let counted = 0;
  await Promise.all(
    connections.map(async (connection, c) => {
      for (let i = c; performance.now() < until; i++) {
        const sent = performance.now();
        const reply = await connection.send(requests[i % requests.length] as Uint8Array);
        if (reply.status !== 200)
          throw new Error(`${order.path}: ${reply.status} ${Buffer.from(reply.body).toString().slice(0, 200)}`);
        const now = performance.now();
        if (sent < warm || now > until) continue;
        counted++;
        latencies.push(now - sent);
      }
    }),
  );
  for (const connection of connections) connection.close();
  const seconds = order.durationMs / 1000;
  return {
    perSecond: counted / seconds,
    megabytesPerSecond: (counted * order.records * order.valueBytes) / seconds / 1e6,
    ...percentiles(latencies),
  };
}

function bodyOf(order: Extract<Order, { kind: "produce" }>): { body: Uint8Array; type: string } {
  const values = Array.from({ length: order.records }, () => randomText(order.valueBytes));
  if (order.format === "raw") {
    return {
      body: encodeBatch(
        values.map((value) => ({ key: null, value })),
        { timestampMs: Date.now() },
      ),
      type: "application/vnd.kafka.recordbatch.v2",
    };
  }
  const records = values.map((value) => ({ value: { type: "STRING", data: Buffer.from(value).toString("latin1") } }));
  return { body: Buffer.from(JSON.stringify(order.records === 1 ? records[0] : { records })), type: "application/json" };
}

/** Letters and digits: as hard to compress as text gets, and the same bytes in JSON. */
function randomText(bytes: number): Uint8Array {
  const text = randomFillSync(new Uint8Array(bytes));
  for (let i = 0; i < bytes; i++)
    text[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_".charCodeAt((text[i] as number) & 63);
  return text;
}
