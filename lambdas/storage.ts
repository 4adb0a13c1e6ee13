/** The deployment's table and bucket, as every function opens them. */
import type { Clock, Ids, Storage } from "../lib/ports/index.ts";
import { awsStorage } from "../lib/storage/aws/index.ts";
import { systemClock as clock } from "../lib/storage/system/clock.ts";
import { systemIds } from "../lib/storage/system/ids.ts";
import { setting } from "./environment.ts";

export interface Ground {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
}

export function openGround(): Ground {
  const ids = systemIds(clock);
  return {
    storage: awsStorage({ table: setting("BROKERLESS_TABLE"), bucket: setting("BROKERLESS_BUCKET"), clock, ids }),
    clock,
    ids,
  };
}
