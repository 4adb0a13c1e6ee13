/**
 * One operation of the port as one request to DynamoDB, and what to do when DynamoDB refused it. Pure.
 *
 * An item past its expiry stays in the table until DynamoDB deletes it, hours later (T4). Puts, deletes and checks say in
 * their condition that it is absent. An update cannot: it would change the old attributes. So it is made only on an item
 * that is alive, or on none; refused with an expired item, it becomes a put of what it makes out of nothing, on
 * condition that the item is still expired. No step is taken before the one before it was certainly refused, and each
 * judges and writes the item at once, so the two together are as atomic as one.
 *
 * Two more things that an update of DynamoDB does not do take a second step in the same way: making an item by nothing
 * but `remove`, and ignoring the removal of an entry of a map that is not there.
 */
import { type Change, type Check, type Put, StorageError, type Update, type Write } from "../../ports/table.ts";
import { evaluate, expirySeconds, holds, isLive, type StoredItem } from "../../ports/table-semantics.ts";
import { isMap, valueAt } from "../../ports/values.ts";
import { allOf, Expression } from "./expression.ts";
import { type Attributes, toKey, toStored } from "./marshal.ts";

interface Expressions {
  readonly ConditionExpression: string | undefined;
  readonly ExpressionAttributeNames: Record<string, string> | undefined;
  readonly ExpressionAttributeValues: Attributes | undefined;
}

/** A write as DynamoDB takes it, alone or in a transaction. */
export type Request =
  | { readonly kind: "put"; readonly expressions: Expressions; readonly Item: Attributes; readonly stored: StoredItem }
  | {
      readonly kind: "update";
      readonly expressions: Expressions;
      readonly Key: Attributes;
      readonly UpdateExpression: string | undefined;
    }
  | { readonly kind: "delete"; readonly expressions: Expressions; readonly Key: Attributes };

/** A check, which only a transaction can hold. */
export interface CheckRequest {
  readonly kind: "check";
  readonly expressions: Expressions;
  readonly Key: Attributes;
}

/** The request that is tried first. */
export function translate(op: Write, nowMs: number): Request {
  const nowS = Math.floor(nowMs / 1000);
  if (op.op === "update") return updateRequest(op, op.changes, nowS, []);
  const expression = new Expression();
  const condition = conditionOf(op, expression, nowS);
  if (op.op === "put") return putRequest(op, storedBy(op), condition, expression);
  return { kind: "delete", Key: toKey(op.key), expressions: expressionsOf(condition, expression) };
}

export function translateCheck(op: Check, nowMs: number): CheckRequest {
  const expression = new Expression();
  const condition = conditionOf(op, expression, Math.floor(nowMs / 1000));
  return { kind: "check", Key: toKey(op.key), expressions: expressionsOf(condition, expression) };
}

/**
 * What follows from a refusal that showed this item (as it is stored; undefined: none): another request, or the error
 * for the caller. The request is only for a state of the item that is as it was shown.
 */
export function afterRefusal(op: Write | Check, found: StoredItem | undefined, nowMs: number): Request | StorageError {
  const nowS = Math.floor(nowMs / 1000);
  const before = found !== undefined && isLive(found.expiresAtS, nowMs) ? found : undefined;
  const evaluated = evaluate(op, before);
  if (!evaluated.ok) return evaluated.error;
  if (op.op === "update") {
    if (before === undefined) {
      const expression = new Expression();
      const condition = `attribute_not_exists(pk) OR ${expression.expired(nowS)}`;
      return putRequest(op, evaluated.after as StoredItem, condition, expression);
    }
    const missing = op.changes.filter((change) => isVainRemoval(change, before));
    if (missing.length > 0) {
      return updateRequest(
        op,
        op.changes.filter((change) => !missing.includes(change)),
        nowS,
        missing,
      );
    }
  }
  // DynamoDB and the port's own rules disagree: both must hold.
  return new StorageError("condition_failed", `condition failed on ${op.key.pk} ${op.key.sk}`, { item: before?.item });
}

/** The item that a put writes. */
function storedBy(op: Put): StoredItem {
  return { item: op.item, expiresAtS: op.expiresAtMs === undefined ? undefined : expirySeconds(op.expiresAtMs) };
}

/** The condition of a put, delete or check: an expired item counts as none. */
function conditionOf(op: Exclude<Write, Update> | Check, expression: Expression, nowS: number): string | undefined {
  const when = op.when ?? [];
  if (when.length === 0) return undefined;
  const clauses = when.map((condition) => expression.condition(condition));
  if (when.every((condition) => holds(undefined, condition))) return `${allOf(clauses)} OR ${expression.expired(nowS)}`;
  return allOf([...clauses, expression.live(nowS)]);
}

/** An update of an item that is alive, or of none. `without`: removals whose map must not be there. */
function updateRequest(op: Update, changes: readonly Change[], nowS: number, without: readonly Change[]): Request {
  const expression = new Expression();
  const expiresAtS = op.expiresAtMs === undefined ? undefined : expirySeconds(op.expiresAtMs);
  const setsNothing = expiresAtS === undefined && changes.every((change) => "remove" in change);
  const condition = allOf([
    ...(op.when ?? []).map((one) => expression.condition(one)),
    ...changes.map((change) => expression.need(change)),
    ...without.map((change) => `NOT ${expression.need(change)}`),
    // DynamoDB does not promise that an update which sets nothing makes an item.
    setsNothing ? "attribute_exists(pk)" : undefined,
    expression.live(nowS),
  ]);
  const UpdateExpression = expression.update(changes, expiresAtS);
  return { kind: "update", Key: toKey(op.key), UpdateExpression, expressions: expressionsOf(condition, expression) };
}

function putRequest(op: Put | Update, stored: StoredItem, condition: string | undefined, expression: Expression): Request {
  return { kind: "put", Item: toStored(op.key, stored), stored, expressions: expressionsOf(condition, expression) };
}

function expressionsOf(condition: string | undefined, expression: Expression): Expressions {
  return {
    ConditionExpression: condition,
    ExpressionAttributeNames: expression.names,
    ExpressionAttributeValues: expression.values,
  };
}

/** Removes an entry of a map that is not there? */
function isVainRemoval(change: Change, { item }: StoredItem): boolean {
  return "remove" in change && typeof change.remove !== "string" && !isMap(valueAt(item, change.remove[0]));
}
