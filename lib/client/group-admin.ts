/** Consumer groups as an administrator sees them. Nothing is tried again: each error says what became of the call. */
import { BrokerlessError, type ErrorCode } from "../base/errors.ts";
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

  /** With its offsets. Throws `unknown_group`, `non_empty_group`. */
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
