import type { LogApi } from "../log/types.ts";
import type { Clock, Doorbell, Ids, Metrics, Storage } from "../ports/index.ts";
import type { OffsetsMirror } from "./offsets-topic/mirror.ts";

/** What groups work on. */
export interface GroupParts {
  readonly storage: Storage;
  /** For the names, ids and partitions of topics. */
  readonly log: LogApi;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly doorbell: Doorbell;
  readonly metrics?: Metrics;
  /** Is told what was committed and deleted, after it was. Absent: nobody is. */
  readonly mirror?: OffsetsMirror | undefined;
}
