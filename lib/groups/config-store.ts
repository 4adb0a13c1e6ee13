/**
 * The configs of groups over the table. What this process has read holds for 30 s, so that a heartbeat costs no trip more:
 * until then processes may differ, which makes a session a little longer or shorter and nothing else.
 *
 * A crash before the one write leaves the configs as they were, one after it as they were to be.
 */
import { fromStorage, isRefusal, storageStep } from "../log/storage-errors.ts";
import type { ConfigEntry } from "../log/types.ts";
import { type Clock, type Storage, StorageError } from "../ports/index.ts";
import {
  type ConsumerSettings,
  changedGroupConfigs,
  consumerSettings,
  describeGroupConfigs,
  type ShareSettings,
  shareSettings,
} from "./config.ts";
import { configKey, decodeConfigs, GROUP_CONFIGS, putConfigs, type StoredConfigs } from "./items/config.ts";
import { checkGroupName } from "./items/group.ts";

const KEPT_MS = 30_000;
const KEPT_GROUPS = 10_000;

interface Kept {
  readonly configs: StoredConfigs["configs"];
  readonly untilMs: number;
}

export class GroupConfigs {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor({ storage, clock }: { readonly storage: Storage; readonly clock: Clock }) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Every config there is, with what holds for this group, which need not be there. */
  async describe(group: string): Promise<ConfigEntry[]> {
    checkGroupName(group);
    return describeGroupConfigs((await this.#read(group)).configs);
  }

  /** Sets (text) or resets to the default (null) the named configs and leaves the others. Throws `invalid_config`. */
  async alter(group: string, changes: Readonly<Record<string, string | null>>, validateOnly: boolean): Promise<void> {
    checkGroupName(group);
    for (;;) {
      const before = await this.#read(group);
      const configs = changedGroupConfigs(before.configs, changes);
      if (validateOnly) return;
      try {
        await this.#storage.table.write(putConfigs(group, configs, before));
        this.#keep(group, configs);
        return;
      } catch (error) {
        this.#kept.delete(group);
        const again = isRefusal(error) || (error instanceof StorageError && error.kind === "contended");
        if (!again) throw fromStorage(error, `alter configs of group "${group}"`);
      }
    }
  }

  /** The groups that have a config set, by name. */
  async list(): Promise<string[]> {
    const items = await storageStep("list configs of groups", () => this.#storage.table.range(GROUP_CONFIGS));
    return items.flatMap(({ key, item }) => (Object.keys(decodeConfigs(key.sk, item).configs).length === 0 ? [] : [key.sk]));
  }

  /** What holds for the server-driven protocol, up to 30 s old. */
  async consumer(group: string): Promise<ConsumerSettings> {
    return consumerSettings(await this.#recent(group));
  }

  /** What holds for a share group, up to 30 s old. */
  async share(group: string): Promise<ShareSettings> {
    return shareSettings(await this.#recent(group));
  }

  async #recent(group: string): Promise<StoredConfigs["configs"]> {
    const kept = this.#kept.get(group);
    if (kept !== undefined && this.#clock.monotonicMs() < kept.untilMs) return kept.configs;
    const { configs } = await this.#read(group);
    this.#keep(group, configs);
    return configs;
  }

  async #read(group: string): Promise<StoredConfigs> {
    const key = configKey(group);
    return decodeConfigs(group, await storageStep(`read configs of group "${group}"`, () => this.#storage.table.get(key)));
  }

  #keep(group: string, configs: StoredConfigs["configs"]): void {
    this.#kept.delete(group);
    if (this.#kept.size >= KEPT_GROUPS) for (const oldest of [...this.#kept.keys()].slice(0, 1)) this.#kept.delete(oldest);
    this.#kept.set(group, { configs, untilMs: this.#clock.monotonicMs() + KEPT_MS });
  }
}
