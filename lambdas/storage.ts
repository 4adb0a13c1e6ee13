/** The deployment's table and bucket, as every function opens them. */
import { CallUsage } from "../lib/http/lambda/usage.ts";
import type { Clock, Ids, Storage } from "../lib/ports/index.ts";
import { awsStorage } from "../lib/storage/aws/index.ts";
import { systemClock as clock } from "../lib/storage/system/clock.ts";
import { systemIds } from "../lib/storage/system/ids.ts";
import { setting } from "./environment.ts";

export interface Ground {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  /** What the calls use of the storage. */
  readonly usage: CallUsage;
  /** Of the table. */
  readonly table: string;
}

export function openGround(): Ground {
  const ids = systemIds(clock);
  const usage = new CallUsage();
  const [table, bucket] = [setting("BROKERLESS_TABLE"), setting("BROKERLESS_BUCKET")];
  return { storage: awsStorage({ table, bucket, clock, ids, metrics: usage }), clock, ids, usage, table };
}
