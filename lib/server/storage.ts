/** The storage that the settings name, opened, and the doorbell that goes with it. */
import { BrokerlessError } from "../base/errors.ts";
import { fromStorage } from "../log/storage-errors.ts";
import type { Clock, Doorbell, Ids, Metrics, Storage } from "../ports/index.ts";
import { localDoorbell } from "../storage/local/doorbell.ts";
import { memoryStorage } from "../storage/memory/index.ts";
import { pollingDoorbell } from "../storage/polling/doorbell.ts";
import { type ConfigKey, flagName, type ServerConfig } from "./config.ts";

export interface StorageParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
}

/** Opens it and sees that it answers. Throws `invalid_config` for settings that are missing, else what the storage says. */
export async function openStorage(config: ServerConfig, parts: StorageParts): Promise<Storage> {
  const { clock, metrics } = parts;
  if (config.storage === "memory") return memoryStorage({ clock });
  // SQLite and its worker, or the clients of AWS: loaded only where they are used.
  if (config.storage === "embedded") {
    const { openEmbedded } = await import("../storage/embedded/index.ts");
    return openEmbedded({ folder: config.data, clock, metrics });
  }
  return openAws(config, parts);
}

/** What another process appends to the same storage is seen by looking again; what this one appends, at once. */
export function doorbellOf(storage: Storage, clock: Clock): Doorbell {
  return storage.kind === "aws" ? pollingDoorbell(clock) : localDoorbell(clock);
}

async function openAws(config: ServerConfig, parts: StorageParts): Promise<Storage> {
  const { awsStorage } = await import("../storage/aws/index.ts");
  const { region, endpoint } = config;
  const storage = awsStorage({
    ...parts,
    table: needed(config, "table"),
    bucket: needed(config, "bucket"),
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  try {
    // Any key does. What is wrong with the account, the region or the names is said now, not at the first append.
    await Promise.all([
      storage.table.get({ pk: "META", sk: "cluster" }),
      storage.bucket.get("segments/none", { from: 0, to: 1 }),
    ]);
  } catch (error) {
    await storage.close();
    throw fromStorage(error, "storage aws");
  }
  return storage;
}

function needed(config: ServerConfig, key: Extract<ConfigKey, "table" | "bucket">): string {
  const value = config[key];
  if (value !== undefined) return value;
  throw new BrokerlessError("invalid_config", `storage aws needs a ${key}: ${flagName(key)} names it`, { field: key });
}
