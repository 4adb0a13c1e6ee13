/** Share groups over a log over memory, with a clock that the test moves. */
import { createShareGroups } from "../../../../lib/groups/share/share.ts";
import type { AcknowledgeType, AcquireAnswer } from "../../../../lib/groups/share/types.ts";
import { nodeCodecs } from "../../../../lib/kafka/codecs/node.ts";
import { encodeBatch, type RecordHeader } from "../../../../lib/kafka/index.ts";
import type { Storage } from "../../../../lib/ports/index.ts";
import { groupsOverMemory } from "../support.ts";

export async function sharesOverMemory(options: { readonly partitions?: number; readonly storage?: Storage } = {}) {
  const bench = groupsOverMemory(options.storage === undefined ? {} : { storage: options.storage });
  const another = () => createShareGroups({ ...bench.parts, codecs: nodeCodecs });
  const shares = another();
  await bench.log.createTopic({ name: "t", partitions: options.partitions ?? 1 });
  const { id: topicId } = await bench.log.topic("t");
  const headersOf = (headers: Readonly<Record<string, string>>): RecordHeader[] =>
    Object.entries(headers).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  return {
    ...bench,
    shares,
    another,
    topicId,
    async produce(values: readonly string[], headers: Readonly<Record<string, string>> = {}, partition = 0): Promise<void> {
      const records = values.map((value) => ({ key: null, value: Buffer.from(value), headers: headersOf(headers) }));
      await bench.log.append({
        topic: "t",
        partition,
        batches: encodeBatch(records, { timestampMs: bench.clock.nowMs() }),
      });
    },
    take(
      holder: string,
      maxRecords: number,
      more: { shares?: typeof shares; partitions?: readonly number[]; maxWaitMs?: number } = {},
    ) {
      return (more.shares ?? shares).acquire({
        group: "g",
        holder,
        partitions: (more.partitions ?? [0]).map((partition) => ({ topicId, partition })),
        maxRecords,
        maxBytes: 1_000_000,
        maxWaitMs: more.maxWaitMs ?? 0,
        firstFrom: "earliest",
      });
    },
    async settle(holder: string, first: number, last: number, type: AcknowledgeType, by = shares): Promise<string> {
      const batches = [{ firstOffset: first, lastOffset: last, types: [type] }];
      const [answer] = await by.acknowledge({ group: "g", holder, partitions: [{ topicId, partition: 0, batches }] });
      return answer?.error?.code ?? "ok";
    },
  };
}

/** Offset and delivery count of everything that was given. */
export function givenIn(answer: AcquireAnswer): [offset: number, deliveries: number][] {
  return answer.partitions.flatMap(({ acquired, error }) => {
    if (error !== undefined) throw error;
    return acquired.flatMap(({ firstOffset, lastOffset, deliveryCount }) =>
      Array.from({ length: lastOffset - firstOffset + 1 }, (_, i): [number, number] => [firstOffset + i, deliveryCount]),
    );
  });
}
