/** DescribeLogDirs (KIP-113): how large partitions are. There is one directory, which stands for the storage. */

import { inParallel } from "../../base/parallel.ts";
import { describeLogDirs } from "../../kafka/protocol/api/describe-log-dirs.ts";
import { may } from "../access.ts";
import { type Handler, handlerOf, type Surface } from "../call.ts";
import { kafkaCodeOf } from "../errors.ts";

const LOG_DIR = "/storage";
/** Sizes asked for side by side: each reads a partition's index. */
const AT_ONCE = 16;

export const describeLogDirsHandler: Handler = handlerOf(describeLogDirs, async ({ topics }, call) => {
  const { surface } = call;
  try {
    const there = topics === null ? await everything(surface) : await existing(surface, topics);
    const asked = there.filter(({ topic }) => may(call, "describe", topic));
    const sizes = await inParallel(asked, AT_ONCE, ({ topic, partition }) => surface.log.partitionBytes(topic, partition));
    const byTopic = Map.groupBy(
      asked.map((one, i) => ({ ...one, partitionSize: sizes[i] as number })),
      ({ topic }) => topic,
    );
    return {
      errorCode: 0,
      results: [
        {
          errorCode: 0,
          logDir: LOG_DIR,
          topics: [...byTopic].map(([name, partitions]) => ({
            name,
            partitions: partitions.map(({ partition, partitionSize }) => ({
              partitionIndex: partition,
              partitionSize,
              offsetLag: 0,
              isFutureKey: false,
            })),
          })),
        },
      ],
    };
  } catch (error) {
    const errorCode = kafkaCodeOf(surface.judge(error, "DescribeLogDirs"));
    return { errorCode, results: [{ errorCode, logDir: LOG_DIR, topics: [] }] };
  }
});

interface Place {
  readonly topic: string;
  readonly partition: number;
}

async function everything({ log }: Surface): Promise<Place[]> {
  return (await log.listTopics()).flatMap(({ name: topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
}

/** What is not there is not in the answer, as in Kafka. */
async function existing(surface: Surface, topics: readonly { topic: string; partitions: readonly number[] }[]): Promise<Place[]> {
  const known = new Map((await surface.log.listTopics()).map(({ name, partitions }) => [name, partitions]));
  return topics.flatMap(({ topic, partitions }) =>
    [...new Set(partitions)].filter((p) => p >= 0 && p < (known.get(topic) ?? 0)).map((partition) => ({ topic, partition })),
  );
}
