/**
 * What the crash tests write: batches whose bytes follow from who wrote them and as which one, so that whoever is
 * started after a crash can send the very same again.
 *
 * Plain writers begin anew in every round (`p3.7`: writer 3 in round 7). Idempotent ones (`i4`) live through all rounds:
 * after a crash they repeat whatever was not acknowledged.
 */
import { createHash } from "node:crypto";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";

export const TOPIC = "t";
export const PARTITIONS = 3;
const PLAIN_WRITERS = 12;
const IDEMPOTENT_WRITERS = 12;
const RECORDS = 2;

export interface Writer {
  readonly name: string;
  readonly partition: number;
  /** -1: not idempotent. */
  readonly producerId: number;
  /** How many appends it has under way at once. */
  readonly depth: number;
}

function writersOf(round: number): Writer[] {
  return [
    ...Array.from({ length: PLAIN_WRITERS }, (_, i) => ({
      name: `p${i}.${round}`,
      partition: i % PARTITIONS,
      producerId: -1,
      depth: 1,
    })),
    ...Array.from({ length: IDEMPOTENT_WRITERS }, (_, i) => ({
      name: `i${i}`,
      partition: i % PARTITIONS,
      producerId: 5000 + i,
      // Kafka's producer has at most five under way, and as many are looked for.
      depth: 1 + (i % 5),
    })),
  ];
}

/** The n-th batch of a writer: two records, small, middling or large. The first one's key is `<writer>/<n>`. */
export function batchOf(writer: Writer, n: number): Uint8Array {
  const label = labelOf(writer, n);
  const seed = createHash("sha256").update(label).digest();
  const choice = (seed[0] as number) / 256;
  const size = seed.readUInt16LE(1);
  const sizeBytes = choice < 0.05 ? 66_000 + size : choice < 0.2 ? 2000 + (size >> 3) : size >> 8;
  return encodeBatch(
    [
      { key: Buffer.from(label), value: noise(seed.readInt32LE(4), sizeBytes) },
      { key: null, value: seed },
    ],
    {
      timestampMs: 1_700_000_000_000 + n,
      codecs: nodeCodecs,
      ...(writer.producerId < 0 ? {} : { producerId: writer.producerId, producerEpoch: 0, baseSequence: n * RECORDS }),
    },
  );
}

export function labelOf(writer: Writer, n: number): string {
  return `${writer.name}/${n}`;
}

function noise(seed: number, sizeBytes: number): Uint8Array {
  const words = new Int32Array(Math.ceil(sizeBytes / 4));
  for (let i = 0; i < words.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    words[i] = seed;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** Of a batch, without the 16 bytes in which a reader finds its offset. */
export function digestOf(batch: Uint8Array): string {
  return createHash("sha256").update(batch.subarray(16)).digest("base64url");
}

export interface Acknowledged {
  readonly partition: number;
  /** Undefined: it is written, and where is no longer known. */
  readonly offset?: number | undefined;
  readonly digest: string;
  readonly label: string;
}

/**
 * Appends until an append fails, each writer until one of its own does; answers with what, by writer. `from`: where each
 * idempotent writer goes on. `depthMost`: 1 where what is sent side by side may overtake.
 */
export async function writeUntilRefused(
  round: number,
  from: Readonly<Record<string, number>>,
  append: (partition: number, batch: Uint8Array) => Promise<number | undefined>,
  acknowledge: (one: Acknowledged) => void,
  depthMost = 5,
): Promise<unknown[]> {
  const writers = await Promise.allSettled(
    writersOf(round).map(async (writer) => {
      const underWay: Promise<void>[] = [];
      for (let n = from[writer.name] ?? 0; ; n++) {
        const batch = batchOf(writer, n);
        const one = { partition: writer.partition, digest: digestOf(batch), label: labelOf(writer, n) };
        const done = append(writer.partition, batch).then((offset) => acknowledge({ ...one, offset }));
        done.catch(() => undefined);
        underWay.push(done);
        if (underWay.length < Math.min(writer.depth, depthMost)) continue;
        try {
          await underWay[0];
          underWay.shift();
        } catch (error) {
          await Promise.allSettled(underWay);
          throw error;
        }
      }
    }),
  );
  return writers.map((one) => one.status === "rejected" && one.reason);
}
