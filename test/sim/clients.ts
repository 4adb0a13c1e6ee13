/** The clients of a simulation. Each sends through whichever process is alive, as behind a load balancer. */
import { BrokerlessError } from "../../lib/base/errors.ts";
import { batchHeaders, decodeBatch, encodeBatch } from "../../lib/kafka/index.ts";
import type { AppendOptions, AppendResult, LogApi } from "../../lib/log/index.ts";
import type { History } from "./history.ts";
import { textOf } from "./history.ts";
import type { Simulation } from "./simulation.ts";
import { Crashed } from "./world.ts";

const TOPIC = "t";
/** Longer than it takes until a run is rolled. */
const LONG_MS = 200_000;

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
    const send = (log: LogApi): Promise<AppendResult> => log.append({ topic: TOPIC, partition, batches: bytes.slice() }, options);
    // Some clients come back only after their records were rolled.
    const first = await sim.call(send).catch(async (error) => {
      if (!isSetback(error)) throw error;
      if (world.chance(0.5)) await world.clock(undefined).sleep(LONG_MS);
    });
    const result = first ?? (await sim.untilAnswered(send));
    noteAcked(history, name, texts, result);
    if (world.chance(0.3)) {
      if (world.chance(0.5)) await world.clock(undefined).sleep(LONG_MS);
      const again = await sim.untilAnswered(send);
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
  let [start, end] = [0, 0];
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
      if (read.logStartOffset < start || read.logEndOffset < end) {
        history.wrong.push(
          `partition ${partition} went back from ${start}..${end} to ${read.logStartOffset}..${read.logEndOffset}`,
        );
      }
      [start, end] = [read.logStartOffset, read.logEndOffset];
      if (world.chance(0.05)) offset = start + world.below(end - start + 1);
      else if (read.sizeBytes > 0 && read.nextOffset !== offset)
        throw new Error(`reader of ${partition}: next is ${read.nextOffset}, read up to ${offset}`);
    } catch (error) {
      if (error instanceof BrokerlessError && error.code === "offset_out_of_range") {
        const from = Number(error.details["logStartOffset"]);
        if (offset >= from) history.wrong.push(`offset ${offset} is out of range where the log starts at ${from}`);
        offset = from;
      } else if (error instanceof BrokerlessError && error.message.includes("bytes were not found")) {
        history.wrong.push(error.message);
        return;
      } else if (!isSetback(error)) throw error;
    }
    await sim.pause();
  }
}

/** Deletes what is old, a few times. */
export async function deleter(sim: Simulation, times: number): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; i < times; i++) {
    for (let k = 0; k < 10; k++) await sim.pause();
    const partition = world.below(sim.partitions);
    const { offset: end } = await sim.untilAnswered((log) => log.listOffset(TOPIC, partition, { at: "latest" }));
    const upTo = world.below(end + 1);
    history.deletedTo[partition] = Math.max(history.deletedTo[partition] ?? 0, upTo);
    await sim.untilAnswered((log) => log.deleteRecords(TOPIC, partition, upTo));
  }
}

/** Adds partitions, each of which gets a reader. */
export async function grower(sim: Simulation, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    for (let k = 0; k < 20; k++) await sim.pause();
    const total = sim.partitions + 1;
    try {
      await sim.untilAnswered((log) => log.growPartitions(TOPIC, total));
    } catch (error) {
      // It was done, and the answer was lost.
      if (!(error instanceof BrokerlessError && error.code === "invalid_partitions")) throw error;
    }
    sim.grewTo(total);
  }
}

const COMPACTED = "k";
const KEYS = 5;

/** Writes to a compacted topic; of each key the last record that was acknowledged, or one that came after it, is kept. */
export async function compactedClient(sim: Simulation, sends: number): Promise<void> {
  const { world, history } = sim;
  if (sends === 0) return;
  const configs = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.ms": "600000",
    "delete.retention.ms": "1000",
  };
  try {
    await sim.untilAnswered((log) => log.createTopic({ name: COMPACTED, partitions: 1, configs }));
  } catch (error) {
    if (!(error instanceof BrokerlessError && error.code === "topic_exists")) throw error;
  }
  for (let i = 0; i < sends; i++) {
    const key = `k${world.below(KEYS)}`;
    const value = world.chance(0.1) ? null : `${key}=${i}`;
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const bytes = encodeBatch([{ key: encode(key), value: value === null ? null : encode(value) }], { timestampMs: world.nowMs });
    try {
      const { baseOffset } = await sim.call((log) => log.append({ topic: COMPACTED, partition: 0, batches: bytes }));
      history.compacted.push({ key, value, offset: baseOffset });
    } catch (error) {
      if (!isSetback(error)) throw error;
      if (value === null) history.lostTombstones.add(key);
    }
    await sim.pause();
  }
}

/** What a compacted topic has; what is missing of it that was acknowledged goes into the history. */
export async function checkCompacted(sim: Simulation): Promise<void> {
  const { history } = sim;
  if (history.compacted.length === 0) return;
  const latest = new Map<string, { readonly offset: number; readonly value: string | null }>();
  const byOffset = new Map<number, string | null>();
  // A tombstone may be gone itself by now.
  const isTombstoned = (key: string, offset: number): boolean =>
    history.lostTombstones.has(key) ||
    history.compacted.some((one) => one.key === key && one.value === null && one.offset > offset);
  let next = 0;
  for (let end = 1; next < end; ) {
    const read = await sim.untilAnswered((log) => log.read({ topic: COMPACTED, partition: 0, offset: next }));
    for (const bytes of read.batches) {
      for (const batch of batchHeaders(bytes)) {
        for (const record of decodeBatch(bytes, batch.at, {})) {
          if (record.offset < next) continue;
          const key = new TextDecoder().decode(record.key ?? new Uint8Array());
          const value = record.value === null ? null : textOf(record);
          if (record.offset <= (latest.get(key)?.offset ?? -1))
            history.wrong.push(`compacted: ${key} at ${record.offset} is not in order`);
          latest.set(key, { offset: record.offset, value });
          byOffset.set(record.offset, value);
        }
      }
    }
    if (read.nextOffset <= next && next < read.logEndOffset)
      return void history.wrong.push(`compacted: a read at ${next} brings nothing`);
    next = Math.max(next, read.nextOffset);
    end = read.logEndOffset;
  }
  for (const { key, value, offset } of history.compacted) {
    const found = byOffset.get(offset);
    if (byOffset.has(offset)) {
      if (found !== value) history.wrong.push(`compacted: ${key} at ${offset} is ${found}, not ${value}`);
    } else if (value !== null && offset >= (latest.get(key)?.offset ?? -1) && !isTombstoned(key, offset)) {
      history.wrong.push(`compacted: ${key} at ${offset} is gone, and nothing came after it`);
    }
  }
}

const OTHER = "u";

/** Makes a topic, writes to it, reads it, deletes it, and again under the same name: what was before is never seen again. */
export async function topicChurner(sim: Simulation, times: number): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; i < times; i++) {
    const answered = async (step: (log: LogApi) => Promise<unknown>, doneBefore: string): Promise<void> => {
      try {
        await sim.untilAnswered(step);
      } catch (error) {
        if (!(error instanceof BrokerlessError && error.code === doneBefore)) throw error;
      }
    };
    await answered((log) => log.createTopic({ name: OTHER, partitions: 1 }), "topic_exists");
    const acked = new Map<number, string>();
    for (let k = 0; k < 2 + world.below(8); k++) {
      const text = `churn:${i * 100 + k}`;
      try {
        const { baseOffset } = await sim.call((log) =>
          log.append({ topic: OTHER, partition: 0, batches: bytesOf([text], world.nowMs) }),
        );
        acked.set(baseOffset, text);
      } catch (error) {
        if (!isSetback(error)) throw error;
      }
    }
    for (const [offset, text] of acked) {
      const read = await sim.untilAnswered((log) => log.read({ topic: OTHER, partition: 0, offset, maxBytes: 1 }));
      const found = read.batches.flatMap((bytes) => decodeBatch(bytes, 0, {})).find((one) => one.offset === offset);
      if (found === undefined || textOf(found) !== text) {
        history.wrong.push(`topic ${OTHER}, time ${i}: ${text} at ${offset} is ${found === undefined ? "gone" : textOf(found)}`);
      }
    }
    await answered((log) => log.deleteTopic(OTHER), "unknown_topic");
    await sim.pause();
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
