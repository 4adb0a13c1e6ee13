/**
 * The embedded storage by itself: appends as the log makes them (a blob, then the head that names it; what waits is
 * gathered), reads, and the delay of a lonely append. `node bench/micro/storage.ts [seconds a case] [case ...]`, in a
 * folder under BENCH_DIR (default: the system's for temporary files). Beside it a loop of synced writes, as the ceiling.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PutBlob, Storage, Update, Value } from "../../lib/ports/index.ts";
import { openEmbedded } from "../../lib/storage/embedded/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";

const [secondsText = "3", ...wanted] = process.argv.slice(2);
const caseMs = Number(secondsText) * 1000;
const ids = systemIds(systemClock);
const tuning = JSON.parse(process.env["BENCH_TUNING"] ?? "{}");
const commits = Number(process.env["BENCH_COMMITS"] ?? 0);

interface Lane {
  readonly key: { readonly pk: string; readonly sk: string };
  readonly name: string;
  readonly waiting: { readonly body: Uint8Array; readonly done: () => void }[];
}

function percentile(sorted: readonly number[], p: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0).toFixed(2);
}

/** Appends as the log does it: one commit takes what waits in all lanes. */
class Appender {
  readonly lanes: Lane[];
  readonly #storage: Storage;
  #underWay = 0;
  #busy = new Set<Lane>();
  #woken = false;
  commits = 0;

  constructor(storage: Storage, lanes: number) {
    this.#storage = storage;
    const topic = ids.topicId();
    this.lanes = Array.from({ length: lanes }, (_, i) => ({
      key: { pk: `P#${topic}#${i}`, sk: "HEAD" },
      name: `${topic}#${i}`,
      waiting: [],
    }));
  }

  async start(): Promise<void> {
    const item = {
      v: 1,
      n: 0,
      s: 0,
      b: 0,
      t: Array.from({ length: 16 }, () => new Uint8Array(32)),
      f: new Uint8Array(16),
      q: {},
    };
    await Promise.all(this.lanes.map(({ key }) => this.#storage.table.write({ op: "put", key, item })));
  }

  append(lane: Lane, body: Uint8Array): Promise<void> {
    return new Promise((done) => {
      lane.waiting.push({ body, done });
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      while (this.#underWay < (commits || this.#storage.maxConcurrentCommits)) {
        const ready = this.lanes.filter((lane) => lane.waiting.length > 0 && !this.#busy.has(lane));
        if (ready.length === 0) return;
        void this.#commit(ready);
      }
    });
  }

  async #commit(lanes: readonly Lane[]): Promise<void> {
    this.#underWay++;
    this.commits++;
    const batches = lanes.map((lane) => ({ lane, taken: lane.waiting.splice(0) }));
    for (const lane of lanes) this.#busy.add(lane);
    const total = batches.reduce((sum, { taken }) => sum + taken.reduce((n, { body }) => n + body.byteLength, 0), 0);
    const shared = this.#storage.blobs.place(total) !== 0;
    const sharedId = ids.ulid();
    const blobs: PutBlob[] = [];
    const updates: Update[] = [];
    for (const { lane, taken } of batches) {
      const id = shared ? sharedId : ids.ulid();
      if (!shared) blobs.push({ op: "putBlob", id, pieces: taken.map(({ body }) => body), partitions: [lane.name] });
      const ref = new Uint8Array(32);
      ref.set(id);
      updates.push({
        op: "update",
        key: lane.key,
        changes: [
          { add: "n", by: taken.length },
          { append: "t", values: [ref] },
        ],
        when: [{ item: "exists" }, { path: "f", is: "<", value: id }, { path: "t", is: "lacks", value: ref }],
      });
    }
    if (shared) {
      const pieces = batches.flatMap(({ taken }) => taken.map(({ body }) => body));
      blobs.push({ op: "putBlob", id: sharedId, pieces, partitions: batches.map(({ lane }) => lane.name) });
    }
    const settled = await this.#storage.table.inOrder([blobs, updates]);
    for (const one of settled.flat()) if (!one.ok) throw one.error;
    for (const { lane, taken } of batches) {
      this.#busy.delete(lane);
      for (const { done } of taken) done();
    }
    // The seal, beside: so that heads stay as long as they are.
    for (const [i, { lane }] of batches.entries()) {
      const after = settled[1]?.[i];
      const item = after?.ok === true ? after.item : undefined;
      if (item !== undefined && (item["t"] as unknown[]).length >= 24) {
        void this.#storage.table.inOrder([
          [
            {
              op: "put",
              key: { ...lane.key, sk: `R#${String(item["n"]).padStart(20, "0")}` },
              item: { r: item["t"] as Value },
            },
          ],
          [{ op: "update", key: lane.key, changes: [{ dropFirst: "t", count: 16 }] }],
        ]);
      }
    }
    this.#underWay--;
    this.#wake();
  }
}

async function appends(storage: Storage, label: string, sizeBytes: number, inFlight: number, lanes: number): Promise<void> {
  const appender = new Appender(storage, lanes);
  await appender.start();
  const delays: number[] = [];
  const body = new Uint8Array(sizeBytes).fill(7);
  const start = performance.now();
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: inFlight }, async (_, i) => {
      while (performance.now() - start < caseMs) {
        const beganMs = performance.now();
        await appender.append(appender.lanes[i % lanes] as Lane, body);
        delays.push(performance.now() - beganMs);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  delays.sort((a, b) => a - b);
  console.log(
    `${label.padEnd(34)} ${(delays.length / seconds).toFixed(0).padStart(7)}/s ${((delays.length * sizeBytes) / seconds / 1e6).toFixed(0).padStart(5)} MB/s` +
      `  p50 ${percentile(delays, 0.5)} p99 ${percentile(delays, 0.99)} max ${percentile(delays, 1)} ms  ${(appender.commits / seconds).toFixed(0)} commits/s` +
      `  cpu ${((used.user + used.system) / 1e4 / seconds).toFixed(0)}%`,
  );
}

async function lonely(storage: Storage): Promise<void> {
  const appender = new Appender(storage, 1);
  await appender.start();
  const delays: number[] = [];
  const reads: number[] = [];
  for (let i = 0; i < caseMs / 10; i++) {
    await systemClock.sleep(10);
    const beganMs = performance.now();
    await appender.append(appender.lanes[0] as Lane, new Uint8Array(1024));
    const wroteMs = performance.now();
    delays.push(wroteMs - beganMs);
    await storage.table.get((appender.lanes[0] as Lane).key);
    reads.push(performance.now() - wroteMs);
  }
  for (const [name, list] of [
    ["one append at a time, 100/s", delays],
    ["get of a head, 100/s", reads],
  ] as const) {
    list.sort((a, b) => a - b);
    console.log(`${name.padEnd(34)} p50 ${percentile(list, 0.5)} p99 ${percentile(list, 0.99)} ms`);
  }
}

async function reads(storage: Storage, label: string, blobBytes: number, count: number): Promise<void> {
  const blobs: { readonly id: Uint8Array; readonly place: 0 | 1 | 2 | 3; readonly from: number; readonly to: number }[] = [];
  for (let i = 0; i < count; i++) {
    const id = ids.ulid();
    await storage.table.inOrder([[{ op: "putBlob", id, pieces: [new Uint8Array(blobBytes).fill(i)], partitions: ["t#0"] }]]);
    blobs.push({ id, place: storage.blobs.place(blobBytes), from: 0, to: blobBytes });
  }
  const start = performance.now();
  let bytes = 0;
  const per = Math.max(1, Math.floor(2 ** 20 / blobBytes));
  while (performance.now() - start < caseMs / 2) {
    for (let i = 0; i + per <= count; i += per) {
      const found = await storage.blobs.read(blobs.slice(i, i + per));
      for (const one of found) bytes += one?.byteLength ?? 0;
    }
  }
  console.log(`${label.padEnd(34)} ${(bytes / (performance.now() - start) / 1000).toFixed(0)} MB/s`);
}

function ceiling(folder: string): void {
  for (const [label, sizeBytes] of [
    ["4 KB", 4096],
    ["1 MB", 2 ** 20],
    ["8 MB", 2 ** 23],
  ] as const) {
    const fd = openSync(join(folder, "ceiling"), "w");
    const body = new Uint8Array(sizeBytes).fill(3);
    const start = performance.now();
    let count = 0;
    for (; performance.now() - start < caseMs / 3; count++) {
      writeSync(fd, body);
      fdatasyncSync(fd);
    }
    const ms = performance.now() - start;
    closeSync(fd);
    console.log(
      `${`bare write and sync of ${label}`.padEnd(34)} ${((count / ms) * 1000).toFixed(0).padStart(7)}/s ${((count * sizeBytes) / ms / 1000).toFixed(0).padStart(5)} MB/s`,
    );
  }
}

const cases: Readonly<Record<string, (storage: Storage, folder: string) => Promise<void> | void>> = {
  ceiling: (_, folder) => ceiling(folder),
  single: (storage) => appends(storage, "1 KB, 64 in flight, 1 partition", 1100, 64, 1),
  spread: (storage) => appends(storage, "1 KB, 64 in flight, 64 partitions", 1100, 64, 64),
  hundred: (storage) => appends(storage, "100 KB, 16 in flight, 4 partitions", 102_400, 16, 4),
  large: (storage) => appends(storage, "1 MB, 8 in flight, 1 partition", 1_000_000, 8, 1),
  lonely,
  inline: (storage) => reads(storage, "read blobs of 10 KB", 10_000, 2000),
  files: (storage) => reads(storage, "read blobs of 100 KB", 100_000, 1000),
  whole: (storage) => reads(storage, "read blobs of 1 MB", 2 ** 20, 100),
};

for (const name of wanted.length > 0 ? wanted : Object.keys(cases)) {
  const folder = await mkdtemp(join(process.env["BENCH_DIR"] ?? tmpdir(), "brokerless-bench-"));
  const storage = await openEmbedded({ folder, clock: systemClock, tuning });
  await cases[name]?.(storage, folder);
  await storage.close();
  await rm(folder, { recursive: true });
}
