/** A log over the embedded storage of a folder, as the server has it. */
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { openEmbedded } from "../../../lib/storage/embedded/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import type { Read } from "./ledger.ts";
import { TOPIC } from "./load.ts";

export type EmbeddedOptions = Parameters<typeof openEmbedded>[0];

export interface Engine {
  readonly log: LogApi;
  readonly storage: Storage;
  readonly read: Read;
  /** The log start of each partition. */
  readonly starts: () => Promise<number[]>;
  close(): Promise<void>;
}

export async function openEngine(folder: string, more: Partial<EmbeddedOptions> = {}): Promise<Engine> {
  const clock = systemClock;
  const storage = await openEmbedded({ folder, clock, ...more });
  const log = createLog({ storage, clock, ids: systemIds(clock), doorbell: localDoorbell(clock), codecs: nodeCodecs });
  return {
    log,
    storage,
    read: (partition, offset) => log.read({ topic: TOPIC, partition, offset, maxBytes: 4 * 2 ** 20 }),
    starts: async () => (await log.partitions(TOPIC)).map(({ logStartOffset }) => logStartOffset),
    async close() {
      await log.close();
      await storage.close();
    },
  };
}
