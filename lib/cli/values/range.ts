/** Where reading begins and ends in each partition, once the server was asked. */
import type { Brokerless, ReadFrom } from "../../client/index.ts";
import { UsageError } from "../exit-codes.ts";
import type { OffsetRange, OffsetSpec } from "./offset-spec.ts";

export interface ResolvedRange {
  readonly partitions: readonly number[];
  readonly from: ReadonlyMap<number, ReadFrom>;
  /** Offset before which each partition ends; undefined where it has no end. */
  readonly until: ReadonlyMap<number, number> | undefined;
}

/** Throws `unknown_topic`; `UsageError` for a partition that the topic does not have. */
export async function resolveRange(
  { admin }: Brokerless,
  topic: string,
  chosen: readonly number[] | undefined,
  range: OffsetRange,
): Promise<ResolvedRange> {
  const all = await admin.partitions(topic);
  const missing = chosen?.find((partition) => partition >= all.length);
  if (missing !== undefined) {
    throw new UsageError(`--partition ${missing}: ${topic} has the partitions 0 to ${all.length - 1}`);
  }
  const infos = chosen === undefined ? all : all.filter(({ partition }) => chosen.includes(partition));
  const from = new Map(infos.map((info) => [info.partition, placeOf(range.from, info.logStartOffset, info.logEndOffset)]));
  let until: Map<number, number> | undefined;
  if (range.untilMs !== undefined) {
    const timestampMs = range.untilMs;
    until = new Map(
      await Promise.all(
        infos.map(async ({ partition, logEndOffset }) => {
          const { offset } = await admin.offset(topic, partition, { timestampMs });
          return [partition, offset < 0 ? logEndOffset : offset] as const;
        }),
      ),
    );
  }
  return { partitions: infos.map(({ partition }) => partition), from, until };
}

function placeOf(spec: OffsetSpec, logStartOffset: number, logEndOffset: number): ReadFrom {
  switch (spec.kind) {
    case "earliest":
    case "latest":
      return spec.kind;
    case "offset":
      return spec.offset;
    case "last":
      return Math.max(logStartOffset, logEndOffset - spec.records);
    case "since":
      return { timestampMs: spec.timestampMs };
  }
}
