/** Ids from the machine's own randomness. */
import { randomFillSync, randomUUID } from "node:crypto";
import { compareUlids, ULID_ZERO, ulidAfter, ulidFrom, ulidTimeMs } from "../../base/ulid.ts";
import type { Clock, Ids } from "../../ports/index.ts";

/** Ids by this clock. One for a process: its ULIDs only grow. */
export function systemIds(clock: Clock): Ids {
  let last = ULID_ZERO;
  const low = new Uint8Array(10);
  return {
    ulid(above) {
      let timeMs = clock.nowMs();
      if (ulidTimeMs(last) >= timeMs) {
        const next = ulidAfter(last);
        if (above === undefined || compareUlids(next, above) > 0) {
          last = next;
          return last.slice();
        }
      }
      // Above somebody else's id, but not right after it: others may be minting above it too.
      if (above !== undefined) timeMs = Math.max(timeMs, ulidTimeMs(above) + 1);
      randomFillSync(low);
      // Room to count up within the millisecond.
      low[0] = (low[0] as number) & 0x7f;
      last = ulidFrom(timeMs, low);
      return last.slice();
    },
    topicId() {
      const bytes = randomFillSync(new Uint8Array(16));
      const text = Buffer.from(bytes).toString("base64url");
      return text.startsWith("-") ? this.topicId() : text;
    },
    uuid: () => randomUUID(),
    secret: (sizeBytes) => randomFillSync(new Uint8Array(sizeBytes)),
    random: () => Math.random(),
  };
}
