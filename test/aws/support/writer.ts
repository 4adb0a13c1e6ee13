/** Producers of a test: what they send, and what they were told. */
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch, encodeBatch, type KafkaRecord } from "../../../lib/kafka/index.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";

export interface Acked {
  readonly text: string;
  readonly partition: number;
  readonly offset: number;
}

export interface Job {
  readonly topic: string;
  readonly partitions: number;
  /** Name of the process; its clients are `<name>-<n>`. */
  readonly name: string;
  /** So many plain and so many idempotent clients; each sends to every partition. */
  readonly plain: number;
  readonly idempotent: number;
  /** Requests a client sends to a partition, of one to three records. */
  readonly requests: number;
}

export interface Report {
  readonly acked: Acked[];
  /** Records of which the sender was told that they are not written. */
  readonly refused: string[];
  /** Records of which nobody could say. */
  readonly unknown: string[];
  /** Messages of the errors, for whoever looks at a failure. */
  readonly errors: string[];
}

export function openLog(storage: Storage): LogApi {
  const ids = systemIds(systemClock);
  return createLog({ storage, clock: systemClock, ids, doorbell: localDoorbell(systemClock), codecs: nodeCodecs });
}

/** What producers use of a log: the log itself, or what speaks to it. */
export interface Writing {
  append(request: {
    readonly topic: string;
    readonly partition: number;
    readonly batches: Uint8Array;
  }): Promise<{ readonly baseOffset: number }>;
  allocateProducerId(): Promise<{ readonly producerId: number; readonly producerEpoch: number }>;
}

const encoder = new TextEncoder();
const ATTEMPTS_MOST = 20;

/** Every client sends to every partition, one request after the other; all of them at once. */
export async function runJob(log: Writing, job: Job): Promise<Report> {
  const report: Report = { acked: [], refused: [], unknown: [], errors: [] };
  const clients = Array.from({ length: job.plain + job.idempotent }, (_, i) => i);
  await Promise.all(
    clients.map(async (client) => {
      const producer = client < job.plain ? undefined : await persistently(() => log.allocateProducerId(), report);
      await Promise.all(
        Array.from({ length: job.partitions }, (_, partition) => send(log, job, client, partition, producer, report)),
      );
    }),
  );
  return report;
}

async function send(
  log: Writing,
  { topic, name, requests }: Job,
  client: number,
  partition: number,
  producer: { readonly producerId: number; readonly producerEpoch: number } | undefined,
  report: Report,
): Promise<void> {
  let sequence = 0;
  for (let request = 0; request < requests; request++) {
    const texts = Array.from({ length: 1 + (request % 3) }, (_, i) => `${name}-${client}:${sequence + i}`);
    // Small ones live in the table, large ones in the bucket.
    const padding = new Uint8Array((request + client) % 4 === 0 ? 6000 : 20);
    const batches = encodeBatch(
      texts.map((text) => ({ key: padding, value: encoder.encode(text) })),
      { timestampMs: systemClock.nowMs(), ...(producer && { ...producer, baseSequence: sequence }) },
    );
    sequence += texts.length;
    const append = () => log.append({ topic, partition, batches });
    try {
      const { baseOffset } = producer === undefined ? await append() : await persistently(append, report);
      for (const [i, text] of texts.entries()) {
        report.acked.push({ text, partition, offset: baseOffset + i });
      }
    } catch (error) {
      note(error, report);
      const outcome = error instanceof BrokerlessError ? error.outcome : "unknown";
      if (outcome === "not_applied") report.refused.push(...texts.map((text) => `${partition}/${text}`));
      else report.unknown.push(...texts.map((text) => `${partition}/${text}`));
    }
  }
}

/** An idempotent producer sends the same batch again until it is told its offset. */
async function persistently<T>(run: () => Promise<T>, report: Report): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      note(error, report);
      if (attempt === ATTEMPTS_MOST) throw error;
      await systemClock.sleep(50);
    }
  }
}

function note(error: unknown, report: Report): void {
  report.errors.push(error instanceof BrokerlessError ? `${error.code} (${error.outcome}): ${error.message}` : String(error));
}

/** Everything in a partition. */
export async function readAll(log: LogApi, topic: string, partition: number): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = [];
  for (let offset = 0; ; ) {
    const read = await log.read({ topic, partition, offset });
    for (const bytes of read.batches) {
      for (const { at } of batchHeaders(bytes)) records.push(...decodeBatch(bytes, at, nodeCodecs));
    }
    offset = read.nextOffset;
    if (offset >= read.logEndOffset) return records;
  }
}

/** What is wrong with what is in the log, given what its writers were told. */
export async function violations(log: LogApi, topic: string, partitions: number, reports: readonly Report[]): Promise<string[]> {
  const wrong: string[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const texts = (await readAll(log, topic, partition)).map(({ offset, value }, i) => {
      if (offset !== i) wrong.push(`partition ${partition}: record ${i} has offset ${offset}`);
      return new TextDecoder().decode(value ?? undefined);
    });
    const count = new Map<string, number>();
    const last = new Map<string, number>();
    for (const text of texts) {
      count.set(text, (count.get(text) ?? 0) + 1);
      const [client = "", sequence = ""] = text.split(":");
      if (Number(sequence) <= (last.get(client) ?? -1)) wrong.push(`partition ${partition}: ${text} is out of order or doubled`);
      last.set(client, Number(sequence));
    }
    const told = new Set<string>();
    for (const report of reports) {
      for (const one of report.acked) {
        if (one.partition !== partition) continue;
        told.add(one.text);
        if (texts[one.offset] !== one.text) wrong.push(`${partition}/${one.offset} holds ${texts[one.offset]}, not ${one.text}`);
      }
      for (const text of report.refused) {
        if (text.startsWith(`${partition}/`) && count.has(text.slice(`${partition}/`.length)))
          wrong.push(`${text} is there after all`);
      }
      for (const text of report.unknown) if (text.startsWith(`${partition}/`)) told.add(text.slice(`${partition}/`.length));
    }
    for (const text of texts) if (!told.has(text)) wrong.push(`partition ${partition}: nobody knows of ${text}`);
  }
  return wrong;
}
