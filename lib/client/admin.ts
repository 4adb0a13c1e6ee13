/** Topics and offsets: what an administrator does. Nothing is tried again: each error says what became of the call. */
import { type Config, configChanges, configOf } from "./configs.ts";
import { type Connection, numberIn, strange } from "./connection.ts";
import type { HttpRequest } from "./http.ts";
import { askOffset, type Isolation, type OffsetAnswer, type OffsetSpec } from "./offsets.ts";
import { type CreatedToken, createToken, listTokens, revokeToken, type TokenInfo, type TokenSpec } from "./tokens.ts";
import { type JobAnswer, type JobOptions, runJob, type VerifyLine, verifyTopic } from "./upkeep.ts";

export interface TopicSpec {
  readonly name: string;
  /** Default 1. */
  readonly partitions?: number | undefined;
  /** -1, or 1 to 3: what exists is the storage's. Default -1. */
  readonly replicationFactor?: number | undefined;
  /** By Kafka's names. */
  readonly configs?: Readonly<Record<string, string>> | undefined;
  /** Checks, and creates nothing. */
  readonly validateOnly?: boolean | undefined;
}

export interface TopicInfo {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** The system's own: nobody else writes to it. */
  readonly isInternal: boolean;
}

export interface PartitionOffsets {
  readonly partition: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
}

export class Admin {
  readonly #connection: Connection;

  /** Made by `Brokerless`. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Is the server there and ready? Throws `unavailable` where it is not. */
  async health(): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#connection.http.json({ method: "GET", path: ["health"] });
    if (typeof answer !== "object" || answer === null) throw strange(this.#connection.http, "a JSON object");
    return answer as Record<string, unknown>;
  }

  clusterId(): Promise<string> {
    return this.#connection.clusterId();
  }

  /** Throws `topic_exists`, `invalid_topic`, `invalid_partitions`, `invalid_config`, `invalid_replication_factor`. */
  async createTopic(spec: TopicSpec): Promise<TopicInfo> {
    const { name, partitions = 1, replicationFactor = -1, configs = {}, validateOnly = false } = spec;
    const answer = await this.#call("POST", [], {
      topic_name: name,
      partitions_count: partitions,
      replication_factor: replicationFactor,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      ...(validateOnly ? { validate_only: true } : {}),
    });
    return this.#topic(answer);
  }

  /** By name, internal ones too. */
  async listTopics(): Promise<TopicInfo[]> {
    return this.#data(await this.#call("GET", [])).map((topic) => this.#topic(topic));
  }

  /** Throws `unknown_topic`. */
  async topic(name: string): Promise<TopicInfo> {
    return this.#topic(await this.#call("GET", [name]));
  }

  /** Every config there is, with what holds for the topic. */
  async configs(name: string): Promise<Config[]> {
    return this.#data(await this.#call("GET", [name, "configs"])).map(configOf);
  }

  /** Sets configs, or resets them to their defaults (null); the others stay. Throws `invalid_config`. */
  async alterConfigs(name: string, changes: Readonly<Record<string, string | null>>): Promise<void> {
    await this.#call("POST", [name, "configs:alter"], configChanges(changes));
  }

  /** Grows the topic to so many partitions. Keys move: records of a key from before stay where they are. Throws `invalid_partitions`. */
  async growPartitions(name: string, total: number): Promise<TopicInfo> {
    return this.#topic(await this.#call("PATCH", [name], { partitions_count: total }));
  }

  /** The topic and all its records are gone when it resolves. Throws `unknown_topic`. */
  async deleteTopic(name: string): Promise<void> {
    await this.#call("DELETE", [name]);
  }

  /** Where the log of each partition begins and ends. */
  async partitions(name: string): Promise<PartitionOffsets[]> {
    const { http } = this.#connection;
    return this.#data(await this.#call("GET", [name, "partitions"])).map((partition) => ({
      partition: numberIn(partition, "partition_id", http),
      logStartOffset: numberIn(partition, "log_start_offset", http),
      logEndOffset: numberIn(partition, "log_end_offset", http),
    }));
  }

  /** With `read_committed`, `latest` is where the first open transaction begins. Throws `unknown_topic`, `unknown_partition`. */
  offset(
    topic: string,
    partition: number,
    at: OffsetSpec,
    { isolation }: { readonly isolation?: Isolation | undefined } = {},
  ): Promise<OffsetAnswer> {
    return askOffset(this.#connection, topic, partition, at, undefined, isolation);
  }

  /** A producer id that was never given before, with epoch 0: for batches that are made elsewhere (`Brokerless.append`). */
  allocateProducerId(): Promise<{ readonly producerId: number; readonly producerEpoch: number }> {
    return this.#connection.allocateProducerId();
  }

  /** Deletes the records before this offset (-1: all that are there). Answers the log start. */
  async deleteRecords(topic: string, partition: number, before: number): Promise<number> {
    const { http } = this.#connection;
    const answer = await http.json({
      method: "DELETE",
      path: ["v1", "topics", topic, "partitions", partition, "records"],
      query: { before },
    });
    return numberIn(answer, "log_start_offset", http);
  }

  /** Runs a job behind the writers, for some seconds. Throws `not_found` for a job that the server does not have. */
  runJob(job: string, options: JobOptions = {}): Promise<JobAnswer> {
    return runJob(this.#connection, job, options);
  }

  /** Checks all that a topic has, or one partition; damage is told, not thrown. Throws `unknown_topic`, `unknown_partition`. */
  verify(
    topic: string,
    options: { readonly partition?: number | undefined; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<VerifyLine> {
    return verifyTopic(this.#connection, topic, options.partition, options.signal);
  }

  /** Makes a token; the answer holds it, this once. Needs admin on the cluster, as all about tokens. Throws `invalid_request`. */
  createToken(spec: TokenSpec): Promise<CreatedToken> {
    return createToken(this.#connection, spec);
  }

  /** All tokens, without their secrets; those that expired within 30 days too. */
  listTokens(): Promise<TokenInfo[]> {
    return listTokens(this.#connection);
  }

  /** Refused by the server that answers at once, by others within 30 s. Throws `not_found`. */
  revokeToken(id: string): Promise<void> {
    return revokeToken(this.#connection, id);
  }

  async #call(method: HttpRequest["method"], path: readonly string[], body?: unknown): Promise<unknown> {
    const clusterId = await this.#connection.clusterId();
    return this.#connection.http.json({
      method,
      path: ["v3", "clusters", clusterId, "topics", ...path],
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  #topic(answer: unknown): TopicInfo {
    const { http } = this.#connection;
    const { topic_name: name } = (answer ?? {}) as Record<string, unknown>;
    if (typeof name !== "string") throw strange(http, "topic_name");
    return {
      name,
      partitions: numberIn(answer, "partitions_count", http),
      replicationFactor: numberIn(answer, "replication_factor", http),
      isInternal: (answer as Record<string, unknown>)["is_internal"] === true,
    };
  }

  #data(answer: unknown): Record<string, unknown>[] {
    const { data } = (answer ?? {}) as Record<string, unknown>;
    if (!Array.isArray(data)) throw strange(this.#connection.http, "data");
    return data as Record<string, unknown>[];
  }
}
