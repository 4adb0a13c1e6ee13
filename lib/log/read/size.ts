/** How large a partition is: from its index alone, no record is read. */
import { BrokerlessError } from "../../base/errors.ts";
import { unknownTopic } from "../topics.ts";
import type { Topic } from "../types.ts";
import type { Reader } from "./reader.ts";

/** How often it looks again when the index moves under it. */
const LOOKS = 8;

/** Bytes of the pieces that hold a record from the log start on. */
export async function partitionBytes(reader: Reader, topic: Topic, partition: number): Promise<number> {
  for (let look = 0; look < LOOKS; look++) {
    const head = await reader.head(topic.id, partition);
    if (head === undefined) throw unknownTopic(topic.name);
    if (head.start === head.next) return 0;
    const pieces = await reader.allPieces(topic, partition, head.start, head);
    if (pieces === undefined) continue;
    let sizeBytes = 0;
    for (const piece of pieces) {
      if (piece.end > head.start) sizeBytes += piece.kind === "ref" ? piece.ref.sizeBytes : piece.segment.sizeBytes;
    }
    return sizeBytes;
  }
  throw new BrokerlessError("unavailable", `topic "${topic.name}" partition ${partition}: the index is being rewritten`, {
    retryAfterMs: 1000,
  });
}
