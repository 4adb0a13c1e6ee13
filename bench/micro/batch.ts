/**
 * Record batches: encode, decode, CRC-32C and the full check, against kafkajs and @platformatic/kafka, in one process.
 * `node bench/micro/batch.ts [seconds a case]`. MB/s of record values (CRC: of bytes); best of five rounds.
 */
import { createRequire } from "node:module";
import { createRecordsBatch, crc32c as platformaticCrc32c, Reader, readRecordsBatch } from "@platformatic/kafka";
import { nodeCodecs } from "../../lib/kafka/codecs/node.ts";
import {
  COMPRESSION_NAMES,
  crc32c,
  decodeBatch,
  encodeBatch,
  forEachRecord,
  prepareBatches,
  type RecordInput,
  trustedBatches,
} from "../../lib/kafka/index.ts";

const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0");
const KafkaJsRecord = require("kafkajs/src/protocol/recordBatch/record/v0");
const kafkaJsDecode = require("kafkajs/src/protocol/recordBatch/v0/decoder");
const KafkaJsDecoder = require("kafkajs/src/protocol/decoder");
const Long = require("kafkajs/src/utils/long");

const ROUNDS = 5;
const secondsPerCase = Number(process.argv[2] ?? 1);
const timestampMs = 1_700_000_000_000;

/** Calls a second, the best round. */
async function rate(work: () => unknown): Promise<number> {
  for (let i = 0; i < 20; i++) await work();
  const roundMs = (secondsPerCase * 1000) / ROUNDS;
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    let elapsed = 0;
    while (elapsed < roundMs) {
      for (let i = 0; i < 10; i++) {
        const result = work();
        if (result instanceof Promise) await result;
      }
      calls += 10;
      elapsed = performance.now() - start;
    }
    best = Math.max(best, (calls * 1000) / elapsed);
  }
  return best;
}

const rows: Record<string, Record<string, string>> = {};

async function measure(name: string, bytes: number, cases: Record<string, () => unknown>): Promise<void> {
  const row: Record<string, string> = {};
  for (const [who, work] of Object.entries(cases)) {
    const callsPerSecond = await rate(work);
    const each = 1e6 / callsPerSecond;
    row[who] = `${((callsPerSecond * bytes) / 1e6).toFixed(0)} MB/s, ${each < 100 ? each.toFixed(2) : each.toFixed(0)} us`;
  }
  rows[name] = row;
  console.error(name, row);
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 2654435761) >>> 13;
  return bytes;
}

/** Text that compresses as records of the same kind do. */
function jsonRecord(i: number, size: number): Uint8Array {
  let text = "";
  for (let n = i; text.length < size; n++)
    text += JSON.stringify({ id: n, at: timestampMs + n * 137, user: `user-${n % 97}`, ok: n % 3 === 0 });
  return new TextEncoder().encode(text.slice(0, size));
}

function kafkaJsEncode(records: readonly RecordInput[]): Promise<{ buffer: Buffer }> {
  return RecordBatch({
    firstTimestamp: timestampMs,
    maxTimestamp: timestampMs,
    lastOffsetDelta: records.length - 1,
    producerId: Long.fromValue(-1),
    records: records.map(({ key, value }, offsetDelta) =>
      KafkaJsRecord({ offsetDelta, timestampDelta: 0, key, value, headers: {} }),
    ),
  });
}

function platformaticMessages(records: readonly RecordInput[]) {
  return records.map(({ key, value }) => ({
    topic: "t",
    key: key as Buffer,
    value: value as Buffer,
    timestamp: BigInt(timestampMs),
  }));
}

for (const [label, count, size] of [
  ["1000 x 1 KB", 1000, 1000],
  ["1000 x 100 B", 1000, 100],
  ["1 x 1 KB", 1, 1000],
  ["1 x 20 B", 1, 20],
] as const) {
  const records: RecordInput[] = Array.from({ length: count }, (_, i) => ({
    key: new TextEncoder().encode(`key-${i}`),
    value: randomBytes(size),
  }));
  const buffers = records.map(({ key, value }) => ({
    key: Buffer.from(key as Uint8Array),
    value: Buffer.from(value as Uint8Array),
  }));
  const bytes = count * size;
  const batch = encodeBatch(records, { timestampMs });
  const buffer = Buffer.from(batch);
  const prepare = { maxBatchBytes: 1 << 24, codecs: {}, nowMs: timestampMs };
  await measure(`encode ${label}`, bytes, {
    ours: () => encodeBatch(records, { timestampMs }),
    platformatic: () => createRecordsBatch(platformaticMessages(buffers)).buffer,
    kafkajs: () => kafkaJsEncode(buffers),
  });
  await measure(`decode ${label}`, bytes, {
    ours: () => decodeBatch(batch, 0, {}),
    platformatic: () => readRecordsBatch(Reader.from(buffer)),
    kafkajs: () => kafkaJsDecode(new KafkaJsDecoder(buffer)),
  });
  let seenBytes = 0;
  await measure(`forEachRecord ${label}`, bytes, {
    ours: () =>
      forEachRecord(batch, 0, {}, (record) => {
        seenBytes += record.valueBytes;
      }),
  });
  if (seenBytes % bytes !== 0) throw new Error(`forEachRecord saw ${seenBytes} bytes of values, no multiple of ${bytes}`);
  await measure(`check all ${label}`, bytes, { ours: () => prepareBatches(batch, prepare) });
  await measure(`headers alone ${label}`, bytes, { ours: () => trustedBatches(batch) });
}

const mebibyte = randomBytes(1 << 20);
const kilobyte = randomBytes(1 << 10);
await measure("crc32c 1 MiB", mebibyte.byteLength, {
  ours: () => crc32c(mebibyte),
  platformatic: () => platformaticCrc32c(mebibyte),
});
await measure("crc32c 1 KiB", kilobyte.byteLength, {
  ours: () => crc32c(kilobyte),
  platformatic: () => platformaticCrc32c(kilobyte),
});

const json: RecordInput[] = Array.from({ length: 1000 }, (_, i) => ({ key: null, value: jsonRecord(i * 12, 1000) }));
for (const compression of COMPRESSION_NAMES) {
  if (compression === "none") continue;
  const packed = encodeBatch(json, { timestampMs, compression, codecs: nodeCodecs });
  await measure(`encode ${compression} (${(1_000_000 / packed.byteLength).toFixed(1)}:1)`, 1_000_000, {
    ours: () => encodeBatch(json, { timestampMs, compression, codecs: nodeCodecs }),
    platformatic: () => createRecordsBatch(platformaticMessages(json), { compression }).buffer,
  });
  await measure(`check all ${compression}`, 1_000_000, {
    ours: () => prepareBatches(packed, { maxBatchBytes: 1 << 24, codecs: nodeCodecs, nowMs: timestampMs }),
  });
}
console.table(rows);
