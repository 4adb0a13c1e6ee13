/** REST consumers in the table: read, changed by compare-and-set, deleted. */
import { BrokerlessError } from "../../base/errors.ts";
import { fromStorage, isRefusal, storageStep } from "../../log/storage-errors.ts";
import { type Clock, type Ids, type Storage, StorageError } from "../../ports/index.ts";
import { checkGroupName } from "../items/group.ts";
import {
  consumerKey,
  decodeConsumer,
  deleteConsumer,
  isWrittenBy,
  putConsumer,
  type RestConsumer,
  type StoredConsumer,
  touchConsumer,
} from "../items/rest-consumer.ts";

const GIVE_UP_MS = 10_000;
/** A call that changes nothing is noted only where the last one was so long ago. */
const TOUCH_AFTER_MS = 15_000;

export class RestConsumerStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor({ storage, clock, ids }: { readonly storage: Storage; readonly clock: Clock; readonly ids: Ids }) {
    this.#storage = storage;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Counts as a call. Throws `unknown_member` where there is none, or nobody called it for 300 s. */
  async read(group: string, name: string): Promise<StoredConsumer> {
    checkGroupName(group);
    const { table } = this.#storage;
    return storageStep(`consumer "${name}" of group "${group}"`, async () => {
      const item = await table.get(consumerKey(group, name));
      if (item === undefined) throw unknownConsumer(group, name);
      const stored = decodeConsumer(group, name, item);
      const nowMs = this.#clock.nowMs();
      if (nowMs - stored.calledMs < TOUCH_AFTER_MS) return stored;
      try {
        await table.write(touchConsumer(stored, nowMs));
        return stored;
      } catch (error) {
        if (isRefusal(error)) throw unknownConsumer(group, name);
        throw error;
      }
    });
  }

  /**
   * Writes it in the place of what was read; `before` undefined: makes it. An answer that was lost is looked for. False: it is not
   * what was read any more, and nothing was written.
   */
  async write(consumer: RestConsumer, before: StoredConsumer | undefined): Promise<boolean> {
    const { group, name } = consumer;
    checkGroupName(group);
    const nonce = this.#ids.uuid();
    const untilMs = this.#clock.monotonicMs() + GIVE_UP_MS;
    const what = `consumer "${name}" of group "${group}"`;
    let lost: unknown;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      try {
        await this.#storage.table.write(putConsumer(consumer, before, nonce, this.#clock.nowMs()));
        return true;
      } catch (error) {
        if (isRefusal(error)) return isWrittenBy(error.item, nonce);
        if (!(error instanceof StorageError)) throw error;
        if (error.kind === "unknown") lost = error;
        const again = lost !== undefined || error.kind === "contended";
        if (!again || this.#clock.monotonicMs() >= untilMs) throw fromStorage(lost ?? error, what);
      }
      await this.#clock.sleep(Math.ceil(pauseMs * this.#ids.random()));
    }
  }

  async delete(group: string, name: string): Promise<void> {
    await storageStep(`delete consumer "${name}" of group "${group}"`, () =>
      this.#storage.table.write(deleteConsumer(group, name)),
    );
  }
}

export function unknownConsumer(group: string, name: string): BrokerlessError {
  return new BrokerlessError(
    "unknown_member",
    `group "${group}" has no consumer "${name.slice(0, 100)}": it was deleted, or not called for 300 s`,
    { field: "instance" },
  );
}
