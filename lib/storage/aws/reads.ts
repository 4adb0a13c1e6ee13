/** Reads of the table as DynamoDB has it: expired items too. All are strongly consistent (T1). */
import {
  BatchGetItemCommand,
  type ConsumedCapacity,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { type Key, StorageError } from "../../ports/table.ts";
import { type Operation, operation } from "./calls.ts";
import type { SendOptions } from "./http.ts";
import { type Attributes, keyOf, toKey } from "./marshal.ts";
import { type TableParts, unitsOf } from "./parts.ts";

/** DynamoDB's limit of one batch. */
const BATCH_MOST_KEYS = 100;
const READ_DEADLINE_MS = 15_000;

export interface Page {
  readonly items: readonly Attributes[];
  /** Where to go on; undefined at the end. */
  readonly after: Attributes | undefined;
}

export class TableReads {
  readonly #parts: TableParts;
  readonly #operations: Record<"get" | "batch" | "query" | "scan", Operation>;

  constructor(parts: TableParts) {
    this.#parts = parts;
    const target = { service: "DynamoDB", name: parts.tableName, region: parts.region } as const;
    const of = (name: string): Operation => operation({ ...target, operation: name }, "read");
    this.#operations = { get: of("GetItem"), batch: of("BatchGetItem"), query: of("Query"), scan: of("Scan") };
  }

  async get(key: Key): Promise<Attributes | undefined> {
    const { client, tableName } = this.#parts;
    const answer = await this.#send(this.#operations.get, (options) =>
      client.send(
        new GetItemCommand({
          TableName: tableName,
          Key: toKey(key),
          ConsistentRead: true,
          ReturnConsumedCapacity: "TOTAL",
        }),
        options,
      ),
    );
    return answer.Item;
  }

  /** In the order of the keys; the same object for a key that is named twice. */
  async getMany(keys: readonly Key[]): Promise<(Attributes | undefined)[]> {
    if (keys.length === 1) return [await this.get(keys[0] as Key)];
    const wanted = new Map<string, Key>();
    for (const key of keys) wanted.set(nameOf(key), key);
    const unique = [...wanted.values()];
    const found = new Map<string, Attributes>();
    const batches: Promise<void>[] = [];
    for (let i = 0; i < unique.length; i += BATCH_MOST_KEYS) {
      batches.push(this.#getBatch(unique.slice(i, i + BATCH_MOST_KEYS).map(toKey), found));
    }
    await Promise.all(batches);
    return keys.map((key) => found.get(nameOf(key)));
  }

  async #getBatch(keys: Attributes[], found: Map<string, Attributes>): Promise<void> {
    const { tableName, client, clock, ids } = this.#parts;
    const untilMs = clock.monotonicMs() + READ_DEADLINE_MS;
    let left = keys;
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
      const answer = await this.#send(this.#operations.batch, (options) =>
        client.send(
          new BatchGetItemCommand({
            RequestItems: { [tableName]: { Keys: left, ConsistentRead: true } },
            ReturnConsumedCapacity: "TOTAL",
          }),
          options,
        ),
      );
      const items = answer.Responses?.[tableName] ?? [];
      for (const attributes of items) found.set(nameOf(keyOf(attributes)), attributes);
      left = answer.UnprocessedKeys?.[tableName]?.Keys ?? [];
      if (left.length === 0) return;
      // What is over 16 MB comes with the next request; nothing at all means that DynamoDB is throttling.
      if (items.length > 0) continue;
      if (clock.monotonicMs() + pauseMs > untilMs) throw new StorageError("throttled", "DynamoDB asks for fewer reads");
      await clock.sleep(pauseMs * (0.5 + ids.random() / 2));
    }
  }

  /** One page of a partition key. */
  async query(
    query: Pick<
      QueryCommandInput,
      "KeyConditionExpression" | "ExpressionAttributeValues" | "ScanIndexForward" | "Limit" | "ExclusiveStartKey"
    >,
  ): Promise<Page> {
    const { client, tableName } = this.#parts;
    const page = await this.#send(this.#operations.query, (options) =>
      client.send(
        new QueryCommand({ ...query, TableName: tableName, ConsistentRead: true, ReturnConsumedCapacity: "TOTAL" }),
        options,
      ),
    );
    return { items: page.Items ?? [], after: page.LastEvaluatedKey };
  }

  /** One page of the whole table: of the items that the filter lets through, these attributes. */
  async scan(filter: string, values: Attributes | undefined, attributes: string, after: Attributes | undefined): Promise<Page> {
    const { client, tableName } = this.#parts;
    const page = await this.#send(this.#operations.scan, (options) =>
      client.send(
        new ScanCommand({
          TableName: tableName,
          FilterExpression: filter,
          ExpressionAttributeValues: values,
          ProjectionExpression: attributes,
          ConsistentRead: true,
          ExclusiveStartKey: after,
          ReturnConsumedCapacity: "TOTAL",
        }),
        options,
      ),
    );
    return { items: page.Items ?? [], after: page.LastEvaluatedKey };
  }

  async #send<T extends { readonly ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] | undefined }>(
    op: Operation,
    attempt: (options: SendOptions) => Promise<T>,
  ): Promise<T> {
    const { calls, clock, metrics } = this.#parts;
    const answer = await calls.send(op, clock.monotonicMs() + READ_DEADLINE_MS, attempt);
    metrics.count("dynamodb_read_units_total", unitsOf(answer.ConsumedCapacity));
    return answer;
  }
}

function nameOf({ pk, sk }: Key): string {
  return `${pk}\0${sk}`;
}
