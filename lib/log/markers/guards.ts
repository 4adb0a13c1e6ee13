/** Guards of transactional appends: the count of transaction changes of a partition, read before its transaction is looked at. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Storage } from "../../ports/index.ts";
import { decodeHead, headKey } from "../items/head.ts";
import { isRefusal, storageStep } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { Topic } from "../types.ts";

export interface GuardedPlace {
  readonly topic: Topic;
  readonly partition: number;
}

/** One trip for all. What is an error already stays one. */
export async function readGuards(
  { table }: Storage,
  places: readonly (GuardedPlace | BrokerlessError)[],
): Promise<(number | BrokerlessError)[]> {
  const known = places.flatMap((place) => (place instanceof BrokerlessError ? [] : [place]));
  const items = await storageStep("read the partitions", () =>
    table.getMany(known.map(({ topic, partition }) => headKey(topic.id, partition))),
  );
  let seen = 0;
  return Promise.all(
    places.map(async (place) => {
      if (place instanceof BrokerlessError) return place;
      const item = items[seen++];
      if (item === undefined) return unknownTopic(place.topic.name);
      if (item["k"] === undefined) await makeRoom(table, place);
      return decodeHead(item).transactionChanges;
    }),
  );
}

/** A head from before there were transactions has no place for them. */
async function makeRoom(table: Storage["table"], { topic, partition }: GuardedPlace): Promise<void> {
  try {
    await storageStep("prepare the partition for transactions", () =>
      table.write({
        op: "update",
        key: headKey(topic.id, partition),
        changes: [
          { set: "x", to: {} },
          { set: "y", to: {} },
          { set: "k", to: 0 },
          { set: "a", to: -1 },
        ],
        when: [{ item: "exists" }, { path: "k", is: "absent" }],
      }),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
