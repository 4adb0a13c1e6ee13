/** The member of a group that a consumer is, over `/v1/groups/{group}`: poll without records, commit, leave. */
import { BrokerlessError } from "../../base/errors.ts";
import { type Connection, strange } from "../connection.ts";
import type { TopicPartition } from "./types.ts";

export interface Assigned extends TopicPartition {
  /** Where the group goes on: at what it has committed, else as the reset says. */
  readonly offset: number;
}

export interface Membership {
  readonly assigned: readonly Assigned[];
  readonly heartbeatIntervalMs: number;
}

interface PollAnswer {
  readonly cursor: string;
  readonly heartbeat_interval_ms: number;
  readonly positions: readonly Assigned[];
}

export class Member {
  readonly #connection: Connection;
  readonly #group: string;
  readonly #join: Readonly<Record<string, unknown>>;
  #cursor: string | undefined;

  constructor(connection: Connection, group: string, join: Readonly<Record<string, unknown>>) {
    this.#connection = connection;
    this.#group = group;
    this.#join = join;
  }

  /** By which the group knows the member; undefined while it is in none. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Joins, or says that it lives. */
  async heartbeat(signal?: AbortSignal): Promise<Membership> {
    const cursor = this.#cursor;
    const body = cursor === undefined ? this.#join : { cursor };
    const answer = (await this.#post("poll", { ...body, max_records: 0, commit: false }, signal)) as PollAnswer | undefined;
    if (typeof answer?.cursor !== "string" || !Array.isArray(answer.positions)) throw strange(this.#connection.http, "cursor");
    this.#cursor = answer.cursor;
    return { assigned: answer.positions, heartbeatIntervalMs: answer.heartbeat_interval_ms };
  }

  /** Commits offsets; those of partitions that are others' by now are left out. */
  async commit(offsets: readonly Assigned[]): Promise<void> {
    if (this.#cursor === undefined || offsets.length === 0) return;
    const list = offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    const answer = (await this.#post("commit", { cursor: this.#cursor, offsets: list })) as { cursor?: string } | undefined;
    if (typeof answer?.cursor !== "string") throw strange(this.#connection.http, "cursor");
    this.#cursor = answer.cursor;
  }

  async leave(): Promise<void> {
    if (this.#cursor === undefined) return;
    const cursor = this.#cursor;
    this.#cursor = undefined;
    await this.#post("leave", { cursor, commit: false }).catch((error) => {
      // Who cannot be reached takes the partitions back when the session is over.
      if (!(error instanceof BrokerlessError)) throw error;
    });
  }

  #post(what: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.#connection.http.json({
      method: "POST",
      path: ["v1", "groups", this.#group, what],
      body: JSON.stringify(body),
      // Said twice it is as said once.
      readOnly: true,
      signal,
    });
  }
}
