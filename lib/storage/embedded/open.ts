import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BrokerlessError } from "../../base/errors.ts";
import { NO_METRICS, type Storage } from "../../ports/index.ts";
import { EmbeddedBlobs } from "./blobs.ts";
import { EmbeddedBucket } from "./bucket.ts";
import { systemDisk } from "./disk.ts";
import { Gate } from "./gate.ts";
import { Link } from "./link.ts";
import { type EmbeddedOptions, TUNING } from "./options.ts";
import type { FileRecord } from "./protocol.ts";
import { SharedFiles } from "./shared-files.ts";
import { EmbeddedTable } from "./table.ts";

/** What a data directory has in it. See README.md. */
const DATABASE = "brokerless.db";
const BLOBS = "blobs";
const OBJECTS = "objects";
const TMP = "tmp";
/** Who has the directory open, for people; the lock is on the database. */
const PID = "pid";

/**
 * Opens a data directory, or makes it. Every answered write is on the disk. One process has it at a time; however it
 * ends, the next can open it. Throws `BrokerlessError`: `unavailable` (in use, or damaged), `unsupported_version`
 * (written by a newer version), `invalid_config` (not a data directory, or not to be written).
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Storage> {
  const { folder, clock, disk = systemDisk, metrics = NO_METRICS } = options;
  const tuning = { ...TUNING, ...options.tuning };
  const path = (name: string): string => join(folder, name);
  try {
    for (const name of [".", BLOBS, OBJECTS, TMP]) await mkdir(path(name), { recursive: true });
    await disk.syncFolder(dirname(resolve(folder)));
    await disk.syncFolder(folder);
  } catch (error) {
    throw new BrokerlessError("invalid_config", `data directory ${folder} cannot be used: ${(error as Error).message}`, {
      field: "data",
      cause: error,
    });
  }
  const { link, files: records } = await openTable(
    folder,
    { path: path(DATABASE), checkpointBytes: tuning.checkpointBytes },
    options,
  );
  try {
    await writeFile(path(PID), `${process.pid}\n`);
    // Only now that nobody else has the directory.
    await rm(path(TMP), { recursive: true, force: true });
    await mkdir(path(TMP), { recursive: true });
    const gate = new Gate();
    const files = await SharedFiles.open(path(BLOBS), records, disk, gate, tuning.fileMostBytes);
    const blobs = new EmbeddedBlobs(link, files, gate, metrics, tuning);
    return {
      kind: "embedded",
      table: new EmbeddedTable(link, files, blobs, gate, tuning.inlineMostBytes),
      blobs,
      bucket: new EmbeddedBucket(path(OBJECTS), path(TMP), disk, clock, gate),
      maxConcurrentCommits: 2,
      writeDeadlineMs: 30_000,
      // One process, one clock.
      clockSkewMs: 0,
      durability: "one copy on this machine, on its disk before every answer",
      async close() {
        await gate.close();
        await files.close();
        await link.close();
        await rm(path(PID), { force: true });
      },
    };
  } catch (error) {
    await link.close();
    await rm(path(PID), { force: true });
    throw new BrokerlessError("unavailable", `data directory ${folder} is damaged: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function openTable(
  folder: string,
  worker: Parameters<typeof Link.start>[0],
  { clock, metrics = NO_METRICS }: EmbeddedOptions,
): Promise<{ readonly link: Link; readonly files: readonly FileRecord[] }> {
  const { started, link } = await Link.start(worker, clock, metrics).catch((error: Error) => {
    throw new BrokerlessError("unavailable", `data directory ${folder} cannot be opened: ${error.message}`, { cause: error });
  });
  if (started.started) return { link, files: started.files };
  switch (started.code) {
    case "in_use": {
      const pid = await readFile(join(folder, PID), "utf8").then(Number, () => 0);
      const holder = pid > 0 ? `process ${pid}` : "another process";
      throw new BrokerlessError("unavailable", `data directory ${folder} is in use by ${holder}`);
    }
    case "newer_format":
      throw new BrokerlessError(
        "unsupported_version",
        `data directory ${folder} was written by a newer version: ${started.message}`,
      );
    case "not_ours":
      throw new BrokerlessError("invalid_config", `${folder} is not a data directory of Brokerless: ${started.message}`, {
        field: "data",
      });
    case "unreadable":
      throw new BrokerlessError("unavailable", `data directory ${folder} cannot be opened: ${started.message}`);
  }
}
