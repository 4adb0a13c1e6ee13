/** The clients of a simulation. Each sends through whichever process is alive, as behind a load balancer. */
import { BrokerlessError } from "../../lib/base/errors.ts";
import { batchHeaders, decodeBatch, encodeBatch } from "../../lib/kafka/index.ts";
import type { AppendOptions, AppendResult, LogApi } from "../../lib/log/index.ts";
import type { History } from "./history.ts";
import { textOf } from "./history.ts";
import type { Simulation } from "./simulation.ts";
import { Crashed } from "./world.ts";

const TOPIC = "t";

function bytesOf(
  texts: readonly string[],
  timestampMs: number,
  producer?: { readonly id: number; readonly epoch: number; readonly sequence: number },
): Uint8Array {
  return encodeBatch(
    texts.map((text) => ({ key: null, value: new TextEncoder().encode(text) })),
    {
      timestampMs,
      ...(producer && { producerId: producer.id, producerEpoch: producer.epoch, baseSequence: producer.sequence }),
    },
  );
}

/** Sends without any protection: whatever is acknowledged must be there, whatever is refused must not. */
export async function plainProducer(sim: Simulation, name: string, sends: number): Promise<void> {
  const { world, history } = sim;
  await Promise.all(
    Array.from({ length: sends }, async (_, i) => {
      await sim.pause();
      const texts = Array.from({ length: 1 + world.below(3) }, (_, k) => `${name}:${i * 10 + k}`);
      const partition = world.below(sim.partitions);
      try {
        const result = await sim.call((log) => log.append({ topic: TOPIC, partition, batches: bytesOf(texts, world.nowMs) }));
        noteAcked(history, name, texts, result);
      } catch (error) {
        if (error instanceof BrokerlessError && error.outcome === "not_applied")
          for (const text of texts) history.refused.add(text);
        else if (!(error instanceof Crashed) && !(error instanceof BrokerlessError)) throw error;
      }
    }),
  );
}

/** Sends each batch until it is acknowledged, up to three of them at once, in order. */
export async function idempotentProducer(sim: Simulation, name: string, batches: number): Promise<void> {
  const { world, history } = sim;
  const partition = world.below(sim.partitions);
  const { producerId } = await sim.untilAnswered((log) => log.allocateProducerId());
  const texts = Array.from({ length: batches }, (_, i) => [`${name}:${i * 10}`, `${name}:${i * 10 + 1}`]);
  for (const text of texts.flat()) history.once.add(text);
  for (let i = 0; i < batches; ) {
    const window = Math.min(1 + world.below(3), batches - i);
    const log = sim.someProcess();
    const sent = Array.from({ length: window }, (_, k) => {
      const bytes = bytesOf(texts[i + k] as string[], world.nowMs, { id: producerId, epoch: 0, sequence: (i + k) * 2 });
      return sim.on(log, (api) => api.append({ topic: TOPIC, partition, batches: bytes }));
    });
    let acked = 0;
    for (const [k, one] of (await Promise.allSettled(sent)).entries()) {
      if (one.status === "fulfilled") {
        // The answer may be lost on the way, so that the client sends it again.
        if (world.chance(0.1)) break;
        noteAcked(history, name, texts[i + k] as string[], one.value);
        acked = k + 1;
      } else if (one.reason instanceof BrokerlessError && one.reason.code === "duplicate_sequence") acked = k + 1;
      else if (isSetback(one.reason)) break;
      else throw one.reason;
    }
    i += acked;
    await sim.pause();
  }
}

/** Sends every request under a key of its own until it is acknowledged. */
export async function keyedClient(sim: Simulation, name: string, requests: number): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; i < requests; i++) {
    const texts = [`${name}:${i}`];
    for (const text of texts) history.once.add(text);
    const partition = world.below(sim.partitions);
    const bytes = bytesOf(texts, world.nowMs);
    const options: AppendOptions = { idempotencyKey: `${name}-${i}` };
    const result = await sim.untilAnswered((log) => log.append({ topic: TOPIC, partition, batches: bytes.slice() }, options));
    noteAcked(history, name, texts, result);
    if (world.chance(0.3)) {
      const again = await sim.untilAnswered((log) => log.append({ topic: TOPIC, partition, batches: bytes.slice() }, options));
      noteAcked(history, name, texts, again);
    }
    await sim.pause();
  }
}

/** Writes to all partitions at once. */
export async function atomicClient(sim: Simulation, name: string, requests: number): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; i < requests; i++) {
    const texts = Array.from({ length: sim.partitions }, (_, p) => `${name}${p}:${i}`);
    history.together.push(texts);
    const keyed = world.chance(0.5);
    if (keyed) for (const text of texts) history.once.add(text);
    const parts = texts.map((text, partition) => ({ topic: TOPIC, partition, batches: bytesOf([text], world.nowMs) }));
    const send = (log: LogApi): Promise<AppendResult[]> =>
      log.appendAtomically(
        parts.map((part) => ({ ...part, batches: part.batches.slice() })),
        keyed ? { idempotencyKey: `${name}-${i}` } : undefined,
      );
    try {
      const results = keyed ? await sim.untilAnswered(send) : await sim.call(send);
      for (const [p, result] of results.entries()) noteAcked(history, name, [texts[p] as string], result);
    } catch (error) {
      if (!isSetback(error)) throw error;
      if (error instanceof BrokerlessError && error.outcome === "not_applied")
        for (const text of texts) history.refused.add(text);
    }
    await sim.pause();
  }
}

/** Reads one partition from the beginning until told to stop; every record it sees is noted. */
export async function reader(sim: Simulation, partition: number): Promise<void> {
  const { world, history } = sim;
  let offset = 0;
  while (!sim.stopping) {
    try {
      const read = await sim.call((log) =>
        log.read({ topic: TOPIC, partition, offset, maxBytes: 1 + world.below(3000), maxWaitMs: world.below(50) }),
      );
      for (const bytes of read.batches) {
        for (const batch of batchHeaders(bytes)) {
          for (const record of decodeBatch(bytes, batch.at, {})) {
            if (record.offset < offset) continue;
            if (record.offset !== offset) throw new Error(`reader of ${partition} wanted ${offset} and got ${record.offset}`);
            history.seen.push({ partition, offset, text: textOf(record) });
            offset++;
          }
        }
      }
      if (read.sizeBytes > 0 && read.nextOffset !== offset)
        throw new Error(`reader of ${partition}: next is ${read.nextOffset}, read up to ${offset}`);
    } catch (error) {
      if (error instanceof BrokerlessError && error.code === "offset_out_of_range")
        offset = Number(error.details["logStartOffset"]);
      else if (!isSetback(error)) throw error;
    }
    await sim.pause();
  }
}

/** Deletes what is old, a few times. */
export async function deleter(sim: Simulation, times: number): Promise<void> {
  const { world } = sim;
  for (let i = 0; i < times; i++) {
    for (let k = 0; k < 10; k++) await sim.pause();
    const partition = world.below(sim.partitions);
    const { offset: end } = await sim.untilAnswered((log) => log.listOffset(TOPIC, partition, { at: "latest" }));
    const upTo = world.below(end + 1);
    await sim.untilAnswered((log) => log.deleteRecords(TOPIC, partition, upTo));
  }
}

function noteAcked(history: History, client: string, texts: readonly string[], { partition, baseOffset }: AppendResult): void {
  for (const [k, text] of texts.entries()) history.acked.push({ client, text, partition, offset: baseOffset + k });
}

/** What a client meets in a storm and tries again after. */
export function isSetback(error: unknown): boolean {
  if (error instanceof Crashed) return true;
  return (
    error instanceof BrokerlessError &&
    [
      "unavailable",
      "throttled",
      "outcome_unknown",
      "idempotency_in_progress",
      "out_of_order_sequence",
      "unknown_producer",
    ].includes(error.code)
  );
}
