/** What the producer, the readers and the admin calls share: how to reach the server, and what it said of itself. */
import { BrokerlessError } from "../base/errors.ts";
import type { Codecs } from "../kafka/index.ts";
import type { Fetch, Http } from "./http.ts";
import type { RetryOptions } from "./retry.ts";

export class Connection {
  readonly http: Http;
  readonly codecs: Codecs;
  readonly retry: RetryOptions;
  /** For URLs that carry their own right: no token, no signature. */
  readonly storageFetch: Fetch;
  /** False once the server was heard to have none. */
  hasManifests = true;
  #clusterId: Promise<string> | undefined;

  constructor(http: Http, codecs: Codecs, retry: RetryOptions, storageFetch: Fetch) {
    this.http = http;
    this.codecs = codecs;
    this.retry = retry;
    this.storageFetch = storageFetch;
  }

  /** Asked for once. */
  clusterId(): Promise<string> {
    this.#clusterId ??= this.#askClusterId().catch((error) => {
      this.#clusterId = undefined;
      throw error;
    });
    return this.#clusterId;
  }

  /** How many partitions the topic has now. Throws `unknown_topic`. */
  async partitionCount(topic: string): Promise<number> {
    const answer = await this.http.json({ method: "GET", path: ["v3", "clusters", await this.clusterId(), "topics", topic] });
    return numberIn(answer, "partitions_count", this.http);
  }

  async allocateProducerId(): Promise<{ producerId: number; producerEpoch: number }> {
    // An id that was given and not heard of harms no one: nothing is in doubt.
    const answer = await this.http.json({ method: "POST", path: ["v1", "producer-ids"], readOnly: true });
    return {
      producerId: numberIn(answer, "producer_id", this.http),
      producerEpoch: numberIn(answer, "producer_epoch", this.http),
    };
  }

  async #askClusterId(): Promise<string> {
    const answer = await this.http.json({ method: "GET", path: ["v3", "clusters"] });
    const { data } = (answer ?? {}) as { data?: readonly { cluster_id?: unknown }[] };
    const id = Array.isArray(data) ? data[0]?.cluster_id : undefined;
    if (typeof id !== "string") throw strange(this.http, "data[0].cluster_id");
    return id;
  }
}

/** A number in an answer. Throws `unavailable` where there is none: then it was not our server that answered. */
export function numberIn(answer: unknown, name: string, http: Http): number {
  const value = (answer as Record<string, unknown> | undefined | null)?.[name];
  if (!Number.isSafeInteger(value)) throw strange(http, name);
  return value as number;
}

export function strange(http: Http, name: string): BrokerlessError {
  return new BrokerlessError("unavailable", `${http.baseUrl} answered without ${name}: is it a Brokerless server?`);
}
