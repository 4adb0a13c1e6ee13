/** Commands that can do without a server: over its data, or over a table and a bucket. `--region` is the server options'. */
import type { Command } from "commander";
import { BrokerlessError } from "../base/errors.ts";
import type { LogApi } from "../log/index.ts";
import type { JobParts } from "../log/jobs/index.ts";
import { NO_METRICS } from "../ports/index.ts";
import { UsageError } from "./exit-codes.ts";

export interface StorageOptions {
  readonly data?: string;
  readonly table?: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly endpoint?: string;
}

const NAMES = ["data", "table", "bucket", "endpoint"] as const;

export function withStorage(command: Command): Command {
  return command
    .option("--data <dir>", "without a server: the folder of one that is stopped")
    .option("--table <name>", "without a server: the table, and with --bucket the bucket, of a log on AWS")
    .option("--bucket <name>", "see --table")
    .option("--endpoint <url>", "of an emulator of AWS");
}

/** A storage that was opened here, and the log over it. */
export interface OpenedStorage extends JobParts {
  readonly log: LogApi;
  readonly close: () => Promise<void>;
}

/** Undefined where the options name none: then a server is asked. Throws `UsageError`, and what opening throws. */
export async function openNamedStorage(options: StorageOptions, urlGiven: boolean): Promise<OpenedStorage | undefined> {
  const given = NAMES.filter((name) => options[name] !== undefined);
  if (given.length === 0) return undefined;
  if (urlGiven) throw new UsageError(`--url and --${given[0]}: give one of them`);
  if (options.data !== undefined && given.length > 1)
    throw new UsageError(`--data and --${given.find((name) => name !== "data")}: give one of them`);
  // Commands that ask a server start faster without these.
  const { createLog } = await import("../log/index.ts");
  const { nodeCodecs } = await import("../kafka/codecs/node.ts");
  const { openStorage, doorbellOf } = await import("../server/storage.ts");
  const { systemClock: clock } = await import("../storage/system/clock.ts");
  const { systemIds } = await import("../storage/system/ids.ts");
  const { resolveConfig } = await import("../server/config.ts");
  const ids = systemIds(clock);
  const config = resolveConfig({ flags: { storage: options.data === undefined ? "aws" : "embedded", ...flagsOf(options) } });
  const storage = await openStorage(config, { clock, ids, metrics: NO_METRICS }).catch((error: unknown) => {
    if (options.data === undefined || !(error instanceof BrokerlessError) || error.code !== "unavailable") throw error;
    throw new BrokerlessError("unavailable", `${error.message}; a server that runs is asked with --url`, { cause: error });
  });
  const log = createLog({ storage, clock, ids, doorbell: doorbellOf(storage, clock), codecs: nodeCodecs });
  const close = async (): Promise<void> => {
    await log.close();
    await storage.close();
  };
  return { storage, clock, ids, log, close };
}

function flagsOf(options: StorageOptions): Record<string, string> {
  return Object.fromEntries(
    ([...NAMES, "region"] as const).flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}
