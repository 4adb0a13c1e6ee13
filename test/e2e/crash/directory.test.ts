/** A data directory that is not to be opened is refused in one clear line, and is left as it was. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "./child.ts";
import { openEngine } from "./engine.ts";
import { batchOf, PARTITIONS, TOPIC, type Writer } from "./load.ts";

const BROKERLESS = join(import.meta.dirname, "../../../bin/brokerless.ts");
const WRITER: Writer = { name: "p0.0", partition: 0, producerId: -1, depth: 1 };
const DATABASE = "brokerless.db";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-directory-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The server as a user starts it. */
function serve(data: string): SpawnSyncReturns<string> {
  const args = ["--no-warnings", BROKERLESS, "serve", "--http", "127.0.0.1:0", "--kafka", "off", "--data", data];
  return spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
}

/** Some records in the folder; closed again. */
async function fill(): Promise<void> {
  const engine = await openEngine(folder);
  await engine.log.createTopic({ name: TOPIC, partitions: PARTITIONS });
  for (let n = 0; n < 5; n++) await engine.log.append({ topic: TOPIC, partition: 0, batches: batchOf(WRITER, n) });
  await engine.close();
}

async function endOffset(): Promise<number | undefined> {
  const engine = await openEngine(folder);
  const [info] = await engine.log.partitions(TOPIC, [0]);
  await engine.close();
  return info?.logEndOffset;
}

/** What is in the files of a folder. */
async function fingerprint(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile())
      found[path] = createHash("sha256")
        .update(await readFile(path))
        .digest("hex");
  }
  return found;
}

/** Refused by the library with this code, and by the server in one line; nothing in the folder has changed. */
async function expectRefused(code: string, message: RegExp, status: number): Promise<void> {
  const before = await fingerprint();
  await expect(openEngine(folder)).rejects.toMatchObject({
    name: "BrokerlessError",
    code,
    outcome: "not_applied",
    message: expect.stringMatching(message),
  });
  const server = serve(folder);
  expect(server.stdout).toBe("");
  const lines = server.stderr.trimEnd().split("\n");
  expect(lines.length, server.stderr).toBe(1);
  expect(lines[0]).toMatch(message);
  expect(lines[0]).toContain(folder);
  expect(server.status).toBe(status);
  expect(await fingerprint()).toEqual(before);
}

test("a folder in use by another process is refused, which is named, until that process ends in whatever way", async () => {
  let pid = "";
  const other = startChild(
    BROKERLESS,
    ["serve", "--http", "127.0.0.1:0", "--kafka", "off", "--data", folder, "--json"],
    () => undefined,
    () => true,
  );
  await other.ready;
  pid = (await readFile(join(folder, "pid"), "utf8")).trim();
  expect(pid).toMatch(/^\d+$/);
  await expectRefused("unavailable", new RegExp(`is in use by process ${pid}`), 1);
  other.kill();
  await other.ended;
  const engine = await openEngine(folder);
  await engine.close();
});

test("a folder in use by the same process is refused, and whoever has it goes on", async () => {
  const engine = await openEngine(folder);
  await engine.log.createTopic({ name: TOPIC, partitions: PARTITIONS });
  await expect(openEngine(folder)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("in use") });
  await engine.log.append({ topic: TOPIC, partition: 0, batches: batchOf(WRITER, 0) });
  // That a second one was refused must not have taken the lock away from the first.
  const server = serve(folder);
  expect([server.status, server.stderr]).toEqual([1, expect.stringContaining("in use")]);
  await engine.log.append({ topic: TOPIC, partition: 0, batches: batchOf(WRITER, 1) });
  await engine.close();
  expect(await endOffset()).toBe(4);
});

test("a folder that a newer version wrote is refused, and can be read by that version still", async () => {
  await fill();
  const database = new DatabaseSync(join(folder, DATABASE));
  const { value } = database.prepare("SELECT value FROM meta WHERE name = 'format'").get() as { value: number };
  const setFormat = (format: number) => database.prepare("UPDATE meta SET value = ? WHERE name = 'format'").run(format);
  setFormat(value + 1);
  database.close();
  await expectRefused("unsupported_version", /was written by a newer version/, 1);
  const again = new DatabaseSync(join(folder, DATABASE));
  again.prepare("UPDATE meta SET value = ? WHERE name = 'format'").run(value);
  again.close();
  expect(await endOffset()).toBe(10);
});

test("a folder with another program's database in it is refused", async () => {
  const database = new DatabaseSync(join(folder, DATABASE));
  database.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  database.close();
  await expectRefused("invalid_config", /is not a data directory of Brokerless/, 2);
  const theirs = new DatabaseSync(join(folder, DATABASE));
  expect({ ...theirs.prepare("SELECT * FROM theirs").get() }).toEqual({ a: 1 });
  theirs.close();
});

test("a database that is none, or is damaged, is refused", async () => {
  await writeFile(join(folder, DATABASE), "this is not a database, whatever its name says. ".repeat(200));
  await expect(openEngine(folder)).rejects.toMatchObject({ name: "BrokerlessError", outcome: "not_applied" });
  const server = serve(folder);
  expect(server.status).not.toBe(0);
  expect(server.stderr.trimEnd().split("\n").length).toBe(1);
});

test("a path that is a file, or lies in one, is refused", async () => {
  const file = join(folder, "file");
  await writeFile(file, "x");
  for (const path of [file, join(file, "below")]) {
    await expect(openEngine(path)).rejects.toMatchObject({ code: "invalid_config", field: "data" });
    const server = serve(path);
    expect(server.stderr).toMatch(/^[^\n]*data directory[^\n]*\n$/);
    expect(server.status).not.toBe(0);
  }
  expect(await readFile(file, "utf8")).toBe("x");
});

test("rubbish that a crash left in a folder is cleared away, and what is not the storage's is left alone", async () => {
  await fill();
  await mkdir(join(folder, "tmp"), { recursive: true });
  await writeFile(join(folder, "tmp", "half-written"), "x");
  await writeFile(join(folder, "notes.txt"), "mine");
  expect(await endOffset()).toBe(10);
  expect(await readdir(join(folder, "tmp"))).toEqual([]);
  expect(await readFile(join(folder, "notes.txt"), "utf8")).toBe("mine");
});
