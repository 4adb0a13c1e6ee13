/** Where the last batches of idempotent producers begin: they stay, for a repetition is told by them. */
import type { Table } from "../../../ports/index.ts";
import { type Head, partitionKey } from "../../items/head.ts";
import { decodeProducer } from "../../items/producer.ts";

const PAGE = 1000;

/** The head must have been read before: a producer is put into its item before it leaves the head. */
export async function lastBatchesOf(table: Table, topicId: string, partition: number, head: Head): Promise<ReadonlySet<number>> {
  const bases = new Set(Object.values(head.producerBases) as number[]);
  for (let from = "PID#"; ; ) {
    const found = await table.range(partitionKey(topicId, partition), { from, to: "PID#~", limit: PAGE });
    for (const { item } of found) bases.add(decodeProducer(item).baseOffset);
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) return bases;
    from = `${last.key.sk} `;
  }
}
