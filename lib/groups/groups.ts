/** Groups behind one object, over any storage. See `types.ts` for what it promises. */
import { commitOffsets } from "./offsets/commit.ts";
import { deleteOffsets } from "./offsets/delete.ts";
import { fetchOffsets } from "./offsets/fetch.ts";
import type { GroupParts } from "./parts.ts";
import type {
  CommitRequest,
  CommittedOffset,
  FetchOffsetsRequest,
  OffsetsApi,
  PartitionAnswer,
  TopicPartition,
} from "./types.ts";

export function createGroups(parts: GroupParts): OffsetsApi {
  return new Groups(parts);
}

class Groups implements OffsetsApi {
  readonly #parts: GroupParts;

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  commit(request: CommitRequest): Promise<PartitionAnswer[]> {
    return commitOffsets(this.#parts, request);
  }

  fetchOffsets(request: FetchOffsetsRequest): Promise<CommittedOffset[]> {
    return fetchOffsets(this.#parts, request);
  }

  deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionAnswer[]> {
    return deleteOffsets(this.#parts, group, partitions);
  }
}
