/** A poll of a consumer that is no member of its group: it reads the partitions that it was told, and commits as an admin tool does. */

import type { Cursor } from "./cursor.ts";
import { commitDirty } from "./poll.ts";
import { placed, readAll } from "./read.ts";
import type { PollAnswer, PollParts, PollRequest, ResetOffset } from "./types.ts";

/** As `pollGroup`, without a heartbeat. While the group has members, nothing is committed. */
export async function pollAssigned(parts: PollParts, request: PollRequest & { readonly cursor: Cursor }): Promise<PollAnswer> {
  const before = request.cursor;
  const commit = request.commit ? await commitDirty(parts, before) : { cursor: before, committed: 0, notCommitted: [] };
  const resets: ResetOffset[] = [];
  const positions = await placed(parts, commit.cursor, request);
  const read = await readAll(parts, positions, { ...request, reset: before.reset }, resets);
  return {
    cursor: { ...commit.cursor, positions: read.positions },
    heartbeatIntervalMs: 0,
    polled: read.polled,
    committed: commit.committed,
    notCommitted: commit.notCommitted,
    resets,
    rebalanced: false,
  };
}
