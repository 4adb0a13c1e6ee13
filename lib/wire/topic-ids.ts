/** Topics by their id: newer versions of the protocol name them so (KIP-516). */
import type { LogApi, Topic } from "../log/types.ts";

export class TopicIds {
  readonly #log: LogApi;
  readonly #names = new Map<string, string>();

  constructor(log: LogApi) {
    this.#log = log;
  }

  /** Undefined where no topic has this id (any more). */
  async topic(id: string): Promise<Topic | undefined> {
    const name = this.#names.get(id);
    if (name !== undefined) {
      const topic = await this.#log.topic(name).catch(() => undefined);
      if (topic?.id === id) return topic;
      this.#names.delete(id);
    }
    let found: Topic | undefined;
    for (const topic of await this.#log.listTopics()) {
      this.#names.set(topic.id, topic.name);
      if (topic.id === id) found = topic;
    }
    return found;
  }
}
