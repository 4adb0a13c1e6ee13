/** The table over DynamoDB: one request for each operation, and no more than the port promises. */
import { type ConsumedCapacity, DeleteItemCommand, PutItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { checkAtomic, checkKey, checkOperation, checkOperations } from "../../ports/rules.ts";
import {
  type Check,
  type Item,
  type Key,
  type KeyedItem,
  type PutBlob,
  type RangeQuery,
  type Settled,
  StorageError,
  type Table,
  type Write,
} from "../../ports/table.ts";
import { isLive, type StoredItem } from "../../ports/table-semantics.ts";
import { cloneItem, compareText } from "../../ports/values.ts";
import { type Operation, operation } from "./calls.ts";
import type { SendOptions } from "./http.ts";
import { type Attributes, fromStored, keyOf } from "./marshal.ts";
import { checkItemSize, type TableParts, unitsOf } from "./parts.ts";
import type { TableReads } from "./reads.ts";
import { transact } from "./transact.ts";
import { afterRefusal, type Request, translate } from "./translate.ts";

/** How often an item may change under our eyes before a write gives up. */
const REFUSALS_MOST = 8;

type Answer =
  | { readonly ok: true; readonly item: Item | undefined }
  | { readonly ok: false; readonly found: StoredItem | undefined };

export class AwsTable implements Table {
  readonly #parts: TableParts;
  readonly #reads: TableReads;
  readonly #putBlob: (op: PutBlob, untilMs: number) => Promise<void>;
  readonly #operations: Record<"put" | "update" | "delete" | "transact", Operation>;

  constructor(parts: TableParts, reads: TableReads, putBlob: (op: PutBlob, untilMs: number) => Promise<void>) {
    this.#parts = parts;
    this.#reads = reads;
    this.#putBlob = putBlob;
    const target = { service: "DynamoDB", name: parts.tableName, region: parts.region } as const;
    const of = (name: string): Operation => operation({ ...target, operation: name }, "write");
    this.#operations = {
      put: of("PutItem"),
      update: of("UpdateItem"),
      delete: of("DeleteItem"),
      transact: of("TransactWriteItems"),
    };
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key);
    return this.#parts.calls.run(async () => this.#itemOf(await this.#reads.get(key)));
  }

  async getMany(keys: readonly Key[]): Promise<(Item | undefined)[]> {
    for (const key of keys) checkKey(key);
    const found = await this.#parts.calls.run(() => this.#reads.getMany(keys));
    // An item that was asked for twice is handed out as two (T6).
    const given = new Set<Attributes>();
    return found.map((attributes) => {
      const item = this.#itemOf(attributes);
      if (attributes === undefined || item === undefined) return undefined;
      if (given.has(attributes)) return cloneItem(item);
      given.add(attributes);
      return item;
    });
  }

  async range(pk: string, query: RangeQuery = {}): Promise<KeyedItem[]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = query;
    return this.#parts.calls.run(async () => {
      const found: KeyedItem[] = [];
      const bounds = keyBounds(query);
      if (bounds === undefined || limit <= 0) return found;
      const nowMs = this.#parts.clock.nowMs();
      let after: Attributes | undefined;
      do {
        const page = await this.#reads.query({
          KeyConditionExpression: `pk = :p${bounds.condition}`,
          ExpressionAttributeValues: { ":p": { S: pk }, ...bounds.values },
          ScanIndexForward: !reverse,
          Limit: limit === Number.POSITIVE_INFINITY ? undefined : limit - found.length,
          ExclusiveStartKey: after,
        });
        for (const attributes of page.items) {
          const stored = fromStored(attributes);
          if (isLive(stored.expiresAtS, nowMs)) found.push({ key: keyOf(attributes), item: stored.item });
        }
        after = page.after;
      } while (after !== undefined && found.length < limit);
      return found;
    });
  }

  async write(op: Write): Promise<Item | undefined> {
    checkOperation(op);
    const { calls } = this.#parts;
    return calls.run(() => this.#write(op, calls.writeDeadline()));
  }

  async inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]> {
    for (const stage of stages) checkOperations(stage);
    const { calls } = this.#parts;
    try {
      return await calls.run(() => this.#inOrder(stages, calls.writeDeadline()));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // The storage is closed; nothing was begun.
      return stages.map((stage) => stage.map(() => ({ ok: false, error })));
    }
  }

  async atomically(ops: readonly (Write | Check)[]): Promise<void> {
    checkAtomic(ops);
    const { calls } = this.#parts;
    return calls.run(async () => {
      if (ops.length > 0) await transact(ops, this.#parts, this.#operations.transact, calls.writeDeadline());
    });
  }

  async *scan(prefix: string): AsyncIterable<readonly string[]> {
    let last: string | undefined;
    let after: Attributes | undefined;
    do {
      const page = await this.#parts.calls.run(() =>
        prefix === ""
          ? this.#reads.scan("attribute_exists(pk)", undefined, "pk", after)
          : this.#reads.scan("begins_with(pk, :p)", { ":p": { S: prefix } }, "pk", after),
      );
      // All items of one partition key lie together.
      const pks: string[] = [];
      for (const attributes of page.items) {
        const { pk } = keyOf(attributes);
        if (pk !== last) pks.push(pk);
        last = pk;
      }
      if (pks.length > 0) yield pks;
      after = page.after;
    } while (after !== undefined);
  }

  #itemOf(attributes: Attributes | undefined): Item | undefined {
    if (attributes === undefined) return undefined;
    const { item, expiresAtS } = fromStored(attributes);
    return isLive(expiresAtS, this.#parts.clock.nowMs()) ? item : undefined;
  }

  async #inOrder(stages: readonly (readonly (Write | PutBlob)[])[], untilMs: number): Promise<Settled[][]> {
    const answers: Settled[][] = [];
    let reached = true;
    for (const stage of stages) {
      const settled: Settled[] = reached
        ? await Promise.all(stage.map((op) => this.#settle(op, untilMs)))
        : stage.map(notReached);
      answers.push(settled);
      reached &&= settled.every((one) => one.ok);
    }
    return answers;
  }

  async #settle(op: Write | PutBlob, untilMs: number): Promise<Settled> {
    try {
      if (op.op !== "putBlob") return { ok: true, item: await this.#write(op, untilMs) };
      await this.#putBlob(op, untilMs);
      return { ok: true, item: undefined };
    } catch (error) {
      if (error instanceof StorageError) return { ok: false, error };
      throw error;
    }
  }

  async #write(op: Write, untilMs: number): Promise<Item | undefined> {
    const { clock } = this.#parts;
    if (op.op === "put") checkItemSize(op.key, op.item);
    let request = translate(op, clock.nowMs());
    for (let refusals = 0; refusals < REFUSALS_MOST; refusals++) {
      const answer = await this.#send(request, untilMs);
      if (answer.ok) return answer.item;
      const next = afterRefusal(op, answer.found, clock.nowMs());
      if (next instanceof StorageError) throw next;
      request = next;
    }
    throw new StorageError("contended", `item ${op.key.pk} ${op.key.sk} changes all the time`);
  }

  async #send(request: Request, untilMs: number): Promise<Answer> {
    const { calls, metrics } = this.#parts;
    const op = this.#operations[request.kind];
    const answer = await calls.send(op, untilMs, (options) => this.#attempt(request, options).catch(refusalIn));
    // What a refused write costs is not said.
    if ("refused" in answer) return { ok: false, found: answer.refused && fromStored(answer.refused) };
    metrics.count("dynamodb_write_units_total", unitsOf(answer.ConsumedCapacity));
    if (request.kind === "put") return { ok: true, item: cloneItem(request.stored.item) };
    return { ok: true, item: request.kind === "update" && answer.Attributes ? fromStored(answer.Attributes).item : undefined };
  }

  async #attempt(
    request: Request,
    options: SendOptions,
  ): Promise<{ readonly Attributes?: Attributes | undefined; readonly ConsumedCapacity?: ConsumedCapacity | undefined }> {
    const { client, tableName: TableName } = this.#parts;
    const shared = {
      TableName,
      ...request.expressions,
      ReturnConsumedCapacity: "TOTAL",
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    } as const;
    switch (request.kind) {
      case "put":
        return client.send(new PutItemCommand({ ...shared, Item: request.Item }), options);
      case "update":
        return client.send(
          new UpdateItemCommand({
            ...shared,
            Key: request.Key,
            UpdateExpression: request.UpdateExpression,
            ReturnValues: "ALL_NEW",
          }),
          options,
        );
      case "delete":
        return client.send(new DeleteItemCommand({ ...shared, Key: request.Key }), options);
    }
  }
}

/** The item that a refused condition was judged on; any other error is thrown on. */
function refusalIn(error: unknown): { readonly refused: Attributes | undefined } {
  const { name, Item } = error as { readonly name?: string; readonly Item?: Attributes };
  if (name === "ConditionalCheckFailedException") return { refused: Item };
  throw error;
}

function notReached(): Settled {
  return { ok: false, error: new StorageError("not_reached", "an earlier stage failed") };
}

/** The sort key's part of a key condition; undefined when nothing can lie between the bounds. */
function keyBounds({ from = "", to }: RangeQuery): { readonly condition: string; readonly values: Attributes } | undefined {
  // DynamoDB takes no empty text for a key; no sort key is empty, so there is something to say without.
  if (to === "") return undefined;
  if (from === "") return to === undefined ? ALL_KEYS : { condition: " AND sk <= :t", values: { ":t": { S: to } } };
  if (to === undefined) return { condition: " AND sk >= :f", values: { ":f": { S: from } } };
  if (compareText(from, to) > 0) return undefined;
  return { condition: " AND sk BETWEEN :f AND :t", values: { ":f": { S: from }, ":t": { S: to } } };
}

const ALL_KEYS = { condition: "", values: {} };
