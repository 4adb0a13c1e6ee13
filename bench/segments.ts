/**
 * `npm run bench:segments`: reading the same records out of blobs and, once the roller has been there, out of segments, over
 * HTTP, raw and as JSON. Takes two minutes: the roller leaves alone what is younger than one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Measured } from "./load/order.ts";
import { loaded, served } from "./support/processes.ts";
import { call, createTopic, logEndOffset } from "./support/server.ts";
import { printTable, type Row } from "./support/table.ts";

const RAW = "application/vnd.kafka.recordbatch.v2";
const VALUE_BYTES = 1024;
const PRODUCE_MS = 4000;
const REPLAY_RECORDS = 200_000;
const ROUNDS = 3;

const dir = mkdtempSync(join(tmpdir(), "brokerless-bench-"));
// Otherwise the schedule might roll while blobs are read.
const server = await served("bin/brokerless.ts", [
  "serve",
  "--http",
  "127.0.0.1:0",
  "--kafka",
  "off",
  "--jobs",
  "false",
  "--data",
  dir,
]);

async function replays(end: number): Promise<Measured[]> {
  const from = Math.max(0, end - REPLAY_RECORDS);
  const measured: Measured[] = [];
  for (const accept of [RAW, "application/json"]) {
    const rounds: Measured[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const path = `/topics/t/partitions/0/records?offset=${from}&stream=true`;
      rounds.push(
        await loaded({ kind: "replay", port: server.port, path, accept, valueBytes: VALUE_BYTES, records: end - from }),
      );
    }
    rounds.sort((a, b) => (a.megabytesPerSecond ?? 0) - (b.megabytesPerSecond ?? 0));
    measured.push(rounds[Math.floor(ROUNDS / 2)] as Measured);
  }
  return measured;
}

try {
  await createTopic(server.port, "t");
  await loaded({
    kind: "produce",
    port: server.port,
    path: "/topics/t/partitions/0/records",
    format: "raw",
    records: 1000,
    valueBytes: VALUE_BYTES,
    connections: 4,
    warmMs: 500,
    durationMs: PRODUCE_MS,
  });
  const end = await logEndOffset(server.port, "t");
  const [rawBlobs, jsonBlobs] = await replays(end);
  await call(server.port, "POST", "/v1/jobs/roll");
  process.stderr.write("waiting a minute for what was sealed\n");
  await new Promise((resolve) => setTimeout(resolve, 62_000));
  const begun = performance.now();
  const { counts } = (await call(server.port, "POST", "/v1/jobs/roll?by_hand=false")) as { counts: Record<string, number> };
  const rollSeconds = (performance.now() - begun) / 1000;
  if (counts["records"] !== end) throw new Error(`${counts["records"]} of ${end} records were rolled`);
  const [rawSegments, jsonSegments] = await replays(end);
  const row = (name: string, target: string, measured: Measured | undefined): Row => ({
    name,
    target,
    perSecond: measured?.perSecond,
    megabytesPerSecond: measured?.megabytesPerSecond,
    p50Ms: undefined,
    p99Ms: undefined,
  });
  const rolled = { megabytesPerSecond: (counts["size_bytes"] as number) / rollSeconds / 1e6 };
  printTable([
    row("replay out of blobs, raw", "", rawBlobs),
    row("replay out of segments, raw", "600 MB/s", rawSegments),
    row("replay out of blobs, json", "", jsonBlobs),
    row("replay out of segments, json", "220 MB/s", jsonSegments),
    row(`roll into ${counts["segments"]} segments`, "", rolled),
  ]);
} finally {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}
