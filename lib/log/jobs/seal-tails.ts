/** What goes before rolling by hand: the tails of all partitions become runs, whole or not. */
import { inParallel } from "../../base/parallel.ts";
import { sealTail } from "../append/seal.ts";
import { decodeHead, headKey } from "../items/head.ts";
import { decodeTopic, TOPICS } from "../items/topic.ts";
import { type JobParts, type JobRun, mayGoOn } from "./job.ts";

const PARTITIONS_AT_ONCE = 16;

export async function sealTails({ storage, clock, ids }: JobParts, run: JobRun) {
  const { table } = storage;
  const topics = (await table.range(TOPICS)).map(({ key, item }) => decodeTopic(key.sk, item));
  const all = topics.flatMap(({ name, id, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ name, id, partition })),
  );
  const total = { partitions: 0, refs: 0, left: false };
  await inParallel(all, PARTITIONS_AT_ONCE, async ({ name, id, partition }) => {
    if (!mayGoOn(run, clock)) {
      total.left = true;
      return;
    }
    const refs = run.dryRun === true ? await refsInTail() : await sealTail(table, ids, id, partition);
    if (refs === 0) return;
    total.partitions++;
    total.refs += refs;
    run.say?.(`${name}-${partition}: ${refs} refs of the tail ${run.dryRun === true ? "would be" : "were"} sealed`);

    async function refsInTail(): Promise<number> {
      const item = await table.get(headKey(id, partition));
      return item === undefined ? 0 : decodeHead(item).tail.length;
    }
  });
  return total;
}
