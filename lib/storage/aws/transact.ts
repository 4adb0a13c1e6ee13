/** `atomically` over TransactWriteItems: one request, and another where an update met an expired item (`translate.ts`). */
import { type TransactWriteItem, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { ATOMIC_MOST_BYTES } from "../../ports/rules.ts";
import { type Check, StorageError, type Write } from "../../ports/table.ts";
import type { Operation } from "./calls.ts";
import { type Attributes, fromStored } from "./marshal.ts";
import { checkItemSize, type TableParts, unitsOf } from "./parts.ts";
import { afterRefusal, type CheckRequest, type Request, translate, translateCheck } from "./translate.ts";

/** How often the items may change under our eyes before the transaction gives up. */
const REFUSALS_MOST = 8;

interface Reason {
  readonly Code?: string | undefined;
  readonly Message?: string | undefined;
  readonly Item?: Attributes | undefined;
}

export async function transact(
  ops: readonly (Write | Check)[],
  parts: TableParts,
  operation: Operation,
  untilMs: number,
): Promise<void> {
  const { client, tableName, clock, ids, metrics, calls } = parts;
  checkSizes(ops);
  const nowMs = clock.nowMs();
  const requests = ops.map((op) => (op.op === "check" ? translateCheck(op, nowMs) : translate(op, nowMs)));
  for (let refusals = 0; refusals < REFUSALS_MOST; refusals++) {
    const command = new TransactWriteItemsCommand({
      TransactItems: requests.map((request) => transactItem(request, tableName)),
      // The same for every time this very request is sent; it is sent again only where it was not applied.
      ClientRequestToken: ids.uuid(),
      ReturnConsumedCapacity: "TOTAL",
    });
    const answer = await calls.send(operation, untilMs, (options) => client.send(command, options).catch(reasonsIn));
    if (!("reasons" in answer)) {
      metrics.count("dynamodb_write_units_total", unitsOf(answer.ConsumedCapacity));
      return;
    }
    const { reasons } = answer;
    const index = reasons.findIndex(({ Code }) => Code === "ConditionalCheckFailed");
    const op = ops[index];
    if (op === undefined) throw new StorageError("unavailable", `DynamoDB cancelled a transaction: ${JSON.stringify(reasons)}`);
    const found = reasons[index]?.Item;
    const next = afterRefusal(op, found && fromStored(found), clock.nowMs());
    if (next instanceof StorageError) {
      throw new StorageError(next.kind, next.message, { item: next.item, index });
    }
    requests[index] = next;
  }
  throw new StorageError("contended", "the items of the transaction change all the time");
}

/** The reasons of a cancelled transaction where one is a failed condition; anything else is thrown on, by its reason. */
function reasonsIn(error: unknown): { readonly reasons: readonly Reason[] } {
  const { name, CancellationReasons = [] } = error as { readonly name?: string; readonly CancellationReasons?: Reason[] };
  if (name !== "TransactionCanceledException") throw error;
  if (CancellationReasons.some(({ Code }) => Code === "ConditionalCheckFailed")) return { reasons: CancellationReasons };
  const first = CancellationReasons.find(({ Code }) => Code !== undefined && Code !== "None");
  throw Object.assign(new Error(first?.Message ?? String(error)), {
    name: EXCEPTION_OF[first?.Code ?? ""] ?? first?.Code ?? name,
    $metadata: (error as { readonly $metadata?: unknown }).$metadata,
    cause: error,
  });
}

/** Reasons go by other names than the errors of a single write. */
const EXCEPTION_OF: Readonly<Record<string, string>> = {
  TransactionConflict: "TransactionConflictException",
  ThrottlingError: "ThrottlingException",
  ProvisionedThroughputExceeded: "ProvisionedThroughputExceededException",
  ValidationError: "ValidationException",
  ItemCollectionSizeLimitExceeded: "ItemCollectionSizeLimitExceededException",
};

function transactItem(request: Request | CheckRequest, TableName: string): TransactWriteItem {
  const shared = { TableName, ...request.expressions, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
  if (request.kind === "put") return { Put: { ...shared, Item: request.Item } };
  const { Key } = request;
  if (request.kind === "delete") return { Delete: { ...shared, Key } };
  if (request.kind === "update" && request.UpdateExpression !== undefined) {
    return { Update: { ...shared, Key, UpdateExpression: request.UpdateExpression } };
  }
  // An update that changes nothing is only its condition, and so is a check; a check of nothing always holds.
  return { ConditionCheck: { ...shared, Key, ConditionExpression: shared.ConditionExpression ?? ANYTHING } };
}

const ANYTHING = "attribute_exists(pk) OR attribute_not_exists(pk)";

function checkSizes(ops: readonly (Write | Check)[]): void {
  let sizeBytes = 0;
  for (const op of ops) if (op.op === "put") sizeBytes += checkItemSize(op.key, op.item);
  if (sizeBytes > ATOMIC_MOST_BYTES) {
    throw new StorageError("too_large", `a transaction of ${sizeBytes} bytes; at most ${ATOMIC_MOST_BYTES}`);
  }
}
