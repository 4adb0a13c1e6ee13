/** Queues in single calls: nothing is tried again, each error says what became of the call. */
import { BrokerlessError, type ErrorCode } from "../../base/errors.ts";
import { type Connection, numberIn, strange } from "../connection.ts";
import type { JobParts } from "./job.ts";
import type { QueueCounts, QueueRow, QueueStats, Received, ReceiveOptions, Redriven, Settling } from "./types.ts";

interface Answer {
  readonly [name: string]: unknown;
}

export class QueueAdmin {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Takes messages; none where none came in time. */
  async receive(group: string, options: ReceiveOptions): Promise<Received> {
    const { topics, maxMessages, waitMs, visibilityTimeoutMs, order, signal } = options;
    const body = {
      topics,
      max_messages: maxMessages,
      wait_ms: waitMs,
      visibility_timeout_ms: visibilityTimeoutMs,
      order,
      format: "binary",
    };
    // What was taken and not heard of comes again when its time is over: nothing is in doubt.
    const answer = await this.#post(group, "receive", body, { readOnly: true, signal });
    const { messages } = answer;
    if (!Array.isArray(messages)) throw strange(this.#connection.http, "messages");
    const visibleMs = numberIn(answer, "visibility_timeout_ms", this.#connection.http);
    return { messages: messages.map(messageOf), visibilityTimeoutMs: visibleMs };
  }

  /** One answer a receipt, in their order: undefined where it is settled. */
  async settle(
    group: string,
    how: Settling,
    receipts: readonly string[],
    visibilityTimeoutMs?: number,
  ): Promise<(BrokerlessError | undefined)[]> {
    const body = { receipts, ...(how === "extend" ? { visibility_timeout_ms: visibilityTimeoutMs } : {}) };
    const { results } = await this.#post(group, how, body, {});
    if (!Array.isArray(results)) throw strange(this.#connection.http, "results");
    return results.map(({ code, message, outcome }: Answer) =>
      typeof code === "string"
        ? new BrokerlessError(code as ErrorCode, String(message), { outcome: outcome === "unknown" ? "unknown" : "not_applied" })
        : undefined,
    );
  }

  /** Of every queue that the token may see, a row a group and topic. */
  async list(): Promise<QueueRow[]> {
    const { http } = this.#connection;
    const { queues } = (await http.json({ method: "GET", path: ["v1", "queues"] })) as Answer;
    if (!Array.isArray(queues)) throw strange(http, "queues");
    return queues.map((one: Answer) => ({
      group: String(one["group"]),
      topic: String(one["topic"]),
      ...this.#countsOf(one),
      partitions: numberIn(one, "partitions", http),
    }));
  }

  async stats(group: string): Promise<QueueStats> {
    const { http } = this.#connection;
    const answer = (await http.json({ method: "GET", path: ["v1", "queues", group] })) as Answer;
    const { dead_letter_topic: topic } = answer;
    return { ...this.#countsOf(answer), deadLetterTopic: typeof topic === "string" ? topic : undefined };
  }

  #countsOf(answer: Answer): QueueCounts {
    const { http } = this.#connection;
    const { oldest_age_ms: age } = answer;
    return {
      depth: numberIn(answer, "depth", http),
      inFlight: numberIn(answer, "in_flight", http),
      parked: numberIn(answer, "parked", http),
      dying: numberIn(answer, "dying", http),
      deadLetters: numberIn(answer, "dead_letters", http),
      oldestAgeMs: typeof age === "number" ? age : undefined,
    };
  }

  /** Dead letters of the group back to where they came from, at most so many (1,000). */
  async redrive(group: string, maxMessages = 100): Promise<Redriven> {
    const { http } = this.#connection;
    const answer = await this.#post(group, "redrive", { max_messages: maxMessages }, {});
    const { failed } = answer;
    return {
      redriven: numberIn(answer, "redriven", http),
      skipped: numberIn(answer, "skipped", http),
      failed: Array.isArray(failed) ? failed.length : 0,
    };
  }

  async #post(
    group: string,
    what: string,
    body: unknown,
    more: { readonly readOnly?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<Answer> {
    const path = ["v1", "queues", group, what];
    const answer = await this.#connection.http.json({ method: "POST", path, body: JSON.stringify(body), ...more });
    return (answer ?? {}) as Answer;
  }
}

function messageOf(one: Answer): JobParts {
  const headers = (one["headers"] ?? []) as readonly { name: string; value: string | null }[];
  return {
    receipt: String(one["receipt"]),
    topic: String(one["topic"]),
    partition: Number(one["partition"]),
    offset: Number(one["offset"]),
    timestampMs: Number(one["timestamp"]),
    deliveryCount: Number(one["delivery_count"]),
    key: bytesOf((one["key"] as { data: string } | null)?.data),
    value: bytesOf((one["value"] as { data: string } | null)?.data),
    headers: headers.map(({ name, value }) => ({ key: name, value: bytesOf(value) })),
  };
}

/** Of base64, in Node and in browsers. */
function bytesOf(text: string | null | undefined): Uint8Array | null {
  return text === null || text === undefined ? null : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
