/** Workers of our queue, which take and acknowledge until the time is over or nothing is left. */
import { Brokerless } from "../../lib/client/index.ts";
import { encodeBatch } from "../../lib/kafka/index.ts";
import { Connection, requestBytes } from "../load/connection.ts";
import type { Measured } from "../load/order.ts";
import { Meter } from "../support/meter.ts";

export interface WorkOrder {
  /** Over raw sockets; or by the TypeScript client, whose `messages` are its prefetch and who acknowledges one by one. */
  readonly by: "http" | "client";
  readonly url: string;
  readonly topic: string;
  readonly group: string;
  readonly workers: number;
  /** In a call. */
  readonly messages: number;
  readonly durationMs: number;
}

export const VALUE_BYTES = 1000;
const PATIENCE_MS = 500;
const JSON_BODY = { "content-type": "application/json" };

interface Received {
  readonly messages: readonly { readonly receipt: string }[];
}

/** Appends so many records to partition 0. */
export async function fill(url: string, topic: string, records: number): Promise<void> {
  const value = Buffer.alloc(VALUE_BYTES, "v");
  const connection = await Connection.open(Number(new URL(url).port));
  const path = `/topics/${topic}/partitions/0/records`;
  for (let left = records; left > 0; left -= 500) {
    const batch = encodeBatch(
      Array.from({ length: Math.min(left, 500) }, () => ({ key: null, value })),
      { timestampMs: Date.now() },
    );
    const type = { "content-type": "application/vnd.kafka.recordbatch.v2" };
    answerOf(path, await connection.send(requestBytes("POST", path, type, batch)));
  }
  connection.close();
}

export function work(order: WorkOrder): Promise<Measured> {
  return order.by === "http" ? overHttp(order) : byClient(order);
}

async function overHttp(order: WorkOrder): Promise<Measured> {
  const { topic, group, messages } = order;
  const port = Number(new URL(order.url).port);
  const asked = { topics: [topic], max_messages: messages, max_bytes: 4_194_304, wait_ms: PATIENCE_MS };
  const receivePath = `/v1/queues/${group}/receive`;
  const ackPath = `/v1/queues/${group}/ack`;
  const receive = requestBytes("POST", receivePath, JSON_BODY, Buffer.from(JSON.stringify(asked)));
  const connections = await Promise.all(Array.from({ length: order.workers }, () => Connection.open(port)));
  const meter = new Meter(order.durationMs);
  await Promise.all(
    connections.map(async (connection) => {
      while (!meter.isOver) {
        const since = performance.now();
        const received = answerOf(receivePath, await connection.send(receive)) as Received;
        if (received.messages.length === 0) return;
        const body = Buffer.from(JSON.stringify({ receipts: received.messages.map(({ receipt }) => receipt) }));
        const { results } = answerOf(ackPath, await connection.send(requestBytes("POST", ackPath, JSON_BODY, body))) as {
          results: readonly { readonly code?: string }[];
        };
        const failed = results.find(({ code }) => code !== undefined);
        if (failed !== undefined) throw new Error(`${ackPath}: ${JSON.stringify(failed)}`);
        meter.note(since, results.length);
      }
    }),
  );
  for (const connection of connections) connection.close();
  return meter.measured();
}

/** One worker: `for await`. More: `work`, whose acknowledgements are not timed one by one. */
async function byClient(order: WorkOrder): Promise<Measured> {
  const client = new Brokerless({ url: order.url });
  const { group, topic, messages, workers } = order;
  const meter = new Meter(order.durationMs);
  const stop = new AbortController();
  // Where less is there than the time would allow.
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(Math.ceil(order.durationMs * 1.25) + 10_000)]);
  const queue = client.queue({ group, topics: topic, prefetch: messages, waitMs: PATIENCE_MS, signal });
  if (workers > 1) {
    const handle = (): void => {
      meter.note(performance.now(), 1);
      if (meter.isOver) stop.abort();
    };
    await queue.work(handle, { concurrency: workers });
    return { perSecond: meter.measured().perSecond as number };
  }
  let since = performance.now();
  for await (const job of queue) {
    await job.ack();
    meter.note(since, 1);
    if (meter.isOver) break;
    since = performance.now();
  }
  return meter.measured();
}

function answerOf(path: string, reply: { readonly status: number; readonly body: Uint8Array }): unknown {
  const text = Buffer.from(reply.body).toString();
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${text.slice(0, 200)}`);
  return JSON.parse(text);
}
