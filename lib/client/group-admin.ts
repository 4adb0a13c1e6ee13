/** Consumer groups as an administrator sees them. Nothing is tried again: each error says what became of the call. */
import { BrokerlessError, type ErrorCode } from "../base/errors.ts";
import { type Config, configChanges, configOf } from "./configs.ts";
import { type Connection, strange } from "./connection.ts";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface GroupListing {
  readonly group: string;
  /** `classic` (the clients assign) or `consumer` (the server assigns). */
  readonly type: string;
  /** Kafka's words: `Empty`, `Stable`, `PreparingRebalance`... */
  readonly state: string;
}

export interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  readonly assignment: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

export interface GroupDescription extends GroupListing {
  /** Generation, or group epoch. */
  readonly epoch: number;
  readonly assignor: string;
  readonly members: readonly GroupMember[];
}

export interface CommittedOffset extends TopicPartition {
  readonly offset: number;
  readonly metadata: string;
  readonly committedAtMs: number;
}

/** How far a group is behind in one topic. */
export interface TopicLag {
  readonly group: string;
  readonly topic: string;
  /** Burrow's words: `OK`, `WARN`, `ERR`, `STOP`, `STALL`, `REWIND`; of the worst partition. */
  readonly status: string;
  /** Records, all partitions together. */
  readonly lag: number;
  /** Of these: gone before the group read them. */
  readonly lostRecords: number;
  /** How long the first unread record has been waiting; at least so long unless `exact`. */
  readonly lagSeconds: number;
  readonly exact: boolean;
  readonly partitions: number;
  /** At the rates of late; undefined: never, or not known. */
  readonly catchUpSeconds: number | undefined;
  /** At the last commits of the partition that is furthest behind, oldest first; undefined: not known. */
  readonly recentLags: readonly (number | undefined)[];
}

/** How far it is behind in one partition. */
export interface PartitionLag extends Omit<TopicLag, "group" | "partitions"> {
  readonly partition: number;
  readonly currentOffset: number;
  readonly logEndOffset: number;
  /** So far the commit is above the log end; above 0 the status is `ERR`. */
  readonly beyondEndRecords: number;
  readonly clientId: string | undefined;
}

/** What became of one partition. */
export interface PartitionOutcome extends TopicPartition {
  readonly error?: BrokerlessError;
}

type Json = Record<string, unknown>;

export class GroupAdmin {
  readonly #connection: Connection;

  /** Made by `Brokerless`. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** By name. */
  async list(): Promise<GroupListing[]> {
    return this.#all(await this.#get([]), "groups").map((one) => listing(one));
  }

  /** Throws `unknown_group`. */
  async describe(group: string): Promise<GroupDescription> {
    const answer = (await this.#get([group])) as Json;
    return {
      ...listing(answer),
      epoch: Number(answer["epoch"]),
      assignor: String(answer["assignor"]),
      members: this.#all(answer, "members").map((member) => ({
        memberId: String(member["member_id"]),
        instanceId: typeof member["instance_id"] === "string" ? member["instance_id"] : undefined,
        clientId: String(member["client_id"]),
        clientHost: String(member["client_host"]),
        assignment: member["assignment"] as GroupMember["assignment"],
      })),
    };
  }

  /** What the group has committed; nothing for a group that is not there. */
  async offsets(group: string): Promise<CommittedOffset[]> {
    return this.#all(await this.#get([group, "offsets"]), "offsets").map((one) => ({
      topic: String(one["topic"]),
      partition: Number(one["partition"]),
      offset: Number(one["offset"]),
      metadata: String(one["metadata"]),
      committedAtMs: Number(one["committed_at"]),
    }));
  }

  /** How far every group is behind, topic by topic. */
  async lags(): Promise<TopicLag[]> {
    const answer = await this.#connection.http.json({ method: "GET", path: ["v1", "lag"] });
    return this.#all(answer, "lag").map((one) => ({
      ...lagOf(one),
      group: String(one["group"]),
      partitions: Number(one["partitions"]),
    }));
  }

  /** How far a group is behind, partition by partition, by the times of the records themselves. Throws `unknown_group`. */
  async lag(group: string): Promise<PartitionLag[]> {
    const path = ["v1", "groups", group, "lag"];
    const answer = await this.#connection.http.json({ method: "GET", path, query: { exact: "true" } });
    return this.#all(answer, "partitions").map((one) => ({
      ...lagOf(one),
      partition: Number(one["partition"]),
      currentOffset: Number(one["current_offset"]),
      logEndOffset: Number(one["log_end_offset"]),
      beyondEndRecords: Number(one["beyond_end_records"]),
      clientId: typeof one["client_id"] === "string" ? one["client_id"] : undefined,
    }));
  }

  /** Sets offsets of a group that has no members; makes the group where it is not there. */
  async setOffsets(
    group: string,
    offsets: readonly (TopicPartition & { readonly offset: number })[],
  ): Promise<PartitionOutcome[]> {
    return this.#outcomes(await this.#post([group, "offsets"], { offsets }));
  }

  /** Forgets offsets of partitions that no member reads. */
  async deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionOutcome[]> {
    return this.#outcomes(await this.#post([group, "offsets:delete"], { partitions }));
  }

  /** Every config there is, with what holds for the group, whether or not it is there. */
  async configs(group: string): Promise<Config[]> {
    return this.#all(await this.#get([group, "configs"]), "configs").map(configOf);
  }

  /** Sets configs, or resets them to their defaults (null); the others stay. Throws `invalid_config`. */
  async alterConfigs(group: string, changes: Readonly<Record<string, string | null>>): Promise<void> {
    await this.#post([group, "configs:alter"], configChanges(changes));
  }

  /** With its offsets; its configs stay. Throws `unknown_group`, `non_empty_group`. */
  async delete(group: string): Promise<void> {
    await this.#connection.http.json({ method: "DELETE", path: ["v1", "groups", group] });
  }

  #get(path: readonly string[]): Promise<unknown> {
    return this.#connection.http.json({ method: "GET", path: ["v1", "groups", ...path] });
  }

  #post(path: readonly string[], body: unknown): Promise<unknown> {
    return this.#connection.http.json({ method: "POST", path: ["v1", "groups", ...path], body: JSON.stringify(body) });
  }

  #all(answer: unknown, name: string): Json[] {
    const all = (answer as Json | undefined)?.[name];
    if (!Array.isArray(all)) throw strange(this.#connection.http, name);
    return all as Json[];
  }

  #outcomes(answer: unknown): PartitionOutcome[] {
    return this.#all(answer, "offsets").map(({ topic, partition, error }) => ({
      topic: String(topic),
      partition: Number(partition),
      ...(error === undefined ? {} : { error: errorOf(error as Json) }),
    }));
  }
}

function listing(one: Json): GroupListing {
  return { group: String(one["group"]), type: String(one["type"]), state: String(one["state"]) };
}

function errorOf({ code, message }: Json): BrokerlessError {
  return new BrokerlessError(code as ErrorCode, String(message));
}

function lagOf(one: Json): Omit<TopicLag, "group" | "partitions"> {
  return {
    topic: String(one["topic"]),
    status: String(one["status"]),
    lag: Number(one["lag"]),
    lostRecords: Number(one["lost_records"]),
    lagSeconds: Number(one["lag_seconds"]),
    exact: one["lag_seconds_precision"] === "exact",
    catchUpSeconds: typeof one["catch_up_seconds"] === "number" ? one["catch_up_seconds"] : undefined,
    recentLags: (one["recent_lags"] as (number | null)[]).map((lag) => lag ?? undefined),
  };
}
