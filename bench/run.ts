/** `npm run bench`: every scenario, interleaved, medians over the rounds; a table and `bench/results/local.json`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fsyncLoop } from "./baselines/fsync-loop.ts";
import type { Measured, Order } from "./load/order.ts";
import { median } from "./support/median.ts";
import { loaded, served } from "./support/processes.ts";
import { call, createTopic, logEndOffset } from "./support/server.ts";
import { printTable, type Row } from "./support/table.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "3" }, rounds: { type: "string", default: "3" } },
});
const durationMs = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
const RAW = "application/vnd.kafka.recordbatch.v2";
const REPLAY_RECORDS = 200_000;

const dir = mkdtempSync(join(tmpdir(), "brokerless-bench-"));
const rows = new Map<string, { target: string; measured: Measured[] }>();

function note(name: string, target: string, measured: Measured): void {
  const row = rows.get(name) ?? { target, measured: [] };
  row.measured.push(measured);
  rows.set(name, row);
  process.stderr.write(".");
}

function produce(port: number, topic: string, format: "json" | "raw", records: number, connections: number): Order {
  return {
    kind: "produce",
    port,
    path: `/topics/${topic}/partitions/0/records`,
    format,
    records,
    valueBytes: 1024,
    connections,
    warmMs: durationMs / 4,
    durationMs,
  };
}

async function round(r: number): Promise<void> {
  const begun = performance.now();
  const server = await served("bin/brokerless.ts", [
    "serve",
    "--http",
    "127.0.0.1:0",
    "--kafka",
    "off",
    "--data",
    join(dir, `data-${r}`),
  ]);
  try {
    await createTopic(server.port, "first");
    await call(server.port, "POST", "/topics/first/partitions/0/records", { value: "x" });
    note("start to first append", "300 ms", { p50Ms: performance.now() - begun });

    const bare = await served("bench/baselines/bare-hono.ts", []);
    note("bare Hono: 1 KB body, 64 connections", "ceiling", await loaded(produce(bare.port, "x", "json", 1, 64)));
    note("bare Hono: 1 MB body, 8 connections", "ceiling", await loaded(produce(bare.port, "x", "raw", 1000, 8)));
    await bare.stop();
    note("fsync loop: 1 KB", "ceiling", fsyncLoop(dir, 1024, durationMs / 2));
    note("fsync loop: 1 MB", "ceiling", fsyncLoop(dir, 1_048_576, durationMs / 2));

    for (const [format, records, connections, target] of [
      ["json", 1, 64, "20k/s, p50 3 ms, p99 10 ms"],
      ["raw", 1, 64, ""],
      ["raw", 100, 16, "240 MB/s"],
      ["json", 100, 16, "160 MB/s"],
      ["raw", 1000, 8, "300 MB/s"],
      ["json", 1000, 8, "180 MB/s"],
    ] as const) {
      const topic = `${format}-${records}`;
      await createTopic(server.port, topic);
      if (records === 100 && format === "raw")
        note("memory after single appends (MB)", "200", { perSecond: server.memoryMegabytes() });
      note(
        `produce ${records} x 1 KB, ${format}, ${connections} connections`,
        target,
        await loaded(produce(server.port, topic, format, records, connections)),
      );
    }

    await createTopic(server.port, "tail");
    note(
      "end to end at 100/s",
      "p50 1.5 ms, p99 5 ms",
      await loaded({ kind: "tail", port: server.port, topic: "tail", perSecond: 100, durationMs }),
    );

    for (const [source, accept, target] of [
      ["raw-1000", RAW, "600 MB/s"],
      ["raw-1000", "application/json", "220 MB/s"],
      ["raw-1", RAW, ""],
    ] as const) {
      const offset = await logEndOffset(server.port, source);
      const from = Math.max(0, offset - REPLAY_RECORDS);
      const path = `/topics/${source}/partitions/0/records?offset=${from}&stream=true`;
      const measured = await loaded({
        kind: "replay",
        port: server.port,
        path,
        accept,
        valueBytes: 1024,
        records: offset - from,
      });
      note(`replay of ${source}, ${accept === RAW ? "raw" : "json"}`, target, measured);
    }
    note("memory after all of it (MB)", "", { perSecond: server.memoryMegabytes() });
  } finally {
    await server.stop();
    rmSync(join(dir, `data-${r}`), { recursive: true, force: true });
  }
}

// The first fetch of a process loads its client.
await fetch("http://127.0.0.1:9/").catch(() => undefined);
try {
  for (let r = 0; r < rounds; r++) await round(r);
  process.stderr.write("\n");
  const table: Row[] = [...rows].map(([name, { target, measured }]) => ({
    name,
    target,
    perSecond: median(measured.map((one) => one.perSecond)),
    megabytesPerSecond: median(measured.map((one) => one.megabytesPerSecond)),
    p50Ms: median(measured.map((one) => one.p50Ms)),
    p99Ms: median(measured.map((one) => one.p99Ms)),
  }));
  printTable(table);
  mkdirSync(new URL("results/", import.meta.url), { recursive: true });
  const file = new URL("results/local.json", import.meta.url);
  writeFileSync(
    file,
    `${JSON.stringify({ node: process.version, seconds: Number(values.seconds), rounds, rows: table }, null, 2)}\n`,
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
