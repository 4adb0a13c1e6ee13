/** What everything that speaks to the table shares. */
import type { ConsumedCapacity, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Clock, Ids, Metrics } from "../../ports/index.ts";
import { ITEM_MOST_BYTES } from "../../ports/rules.ts";
import { type Item, type Key, StorageError } from "../../ports/table.ts";
import { itemSizeBytes } from "../../ports/values.ts";
import type { Calls } from "./calls.ts";

export interface TableParts {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly region: string | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly calls: Calls;
}

/** Read or write units that a request has used. */
export function unitsOf(consumed: ConsumedCapacity | readonly ConsumedCapacity[] | undefined): number {
  if (consumed === undefined) return 0;
  const all = Array.isArray(consumed) ? (consumed as readonly ConsumedCapacity[]) : [consumed as ConsumedCapacity];
  return all.reduce((sum, one) => sum + (one.CapacityUnits ?? 0), 0);
}

/** Before it is sent: DynamoDB says the same, but only after the bytes have travelled. */
export function checkItemSize(key: Key, item: Item): number {
  const sizeBytes = itemSizeBytes(key, item, undefined);
  if (sizeBytes > ITEM_MOST_BYTES) {
    throw new StorageError("too_large", `item ${key.pk} ${key.sk} would be ${sizeBytes} bytes; at most ${ITEM_MOST_BYTES}`);
  }
  return sizeBytes;
}

/** The clients' own logger, which copies every request and reply for a log that nobody keeps: 5% of the time. */
export const LOGGER = "loggerMiddleware";
