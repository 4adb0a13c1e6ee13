/**
 * Fetch: record batches as the log has them, handed on without a copy, with one long poll for all partitions.
 *
 * Incremental sessions (KIP-227) are declined in the way that KIP provides for: the answer's session id is 0, and the
 * client goes on with full requests. So any process can answer any request.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { fetch } from "../../kafka/protocol/api/fetch.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import type { PartitionRead, ReadResult } from "../../log/types.ts";
import { may } from "../access.ts";
import { LEADER_EPOCH } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaError } from "../errors.ts";
import { partitionError, type TopicName, topicNameOf } from "../topic-names.ts";

type Request = Decoded<typeof fetch.request>;
type Topic = Request["topics"][number];
type Partition = Topic["partitions"][number];
type PartitionAnswer = Encodable<typeof fetch.response>["responses"][number]["partitions"][number];

const BY_ID_FROM = 13;
const READ_COMMITTED = 1;
const FORBIDDEN = kafkaError("TOPIC_AUTHORIZATION_FAILED");
const NO_RECORDS: readonly Uint8Array[] = [];

export const fetchHandler: Handler = handlerOf(fetch, async (request, call) => {
  const { sessionId, sessionEpoch, topics } = request;
  const refused = refusedSession(sessionId, sessionEpoch);
  if (refused !== undefined) return { errorCode: refused.errorCode, responses: [] };
  const asked = await Promise.all(topics.map((topic) => askedOf(topic, call)));
  const answers = (await read(asked.flat(), request, call)).values();
  return {
    errorCode: 0,
    responses: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(() => answers.next().value as PartitionAnswer),
    })),
  };
});

/** No session was ever given, so none can be gone on with. */
function refusedSession(sessionId: number, sessionEpoch: number): ErrorFields | undefined {
  if (sessionId !== 0) return kafkaError("FETCH_SESSION_ID_NOT_FOUND");
  if (sessionEpoch > 0) return kafkaError("INVALID_FETCH_SESSION_EPOCH");
  return undefined;
}

interface Asked {
  readonly partition: Partition;
  /** Undefined where it is refused. */
  readonly name: TopicName | undefined;
  readonly error: ErrorFields | undefined;
}

async function askedOf({ topic, topicId, partitions }: Topic, call: Call): Promise<Asked[]> {
  const { surface, version } = call;
  const byId = version >= BY_ID_FROM;
  try {
    const named = await topicNameOf(surface, byId, topic, topicId);
    const refused = "error" in named ? named.error : may(call, "read", named.found.topic) ? undefined : FORBIDDEN;
    if (refused !== undefined || "error" in named) {
      return partitions.map((partition) => ({ partition, name: undefined, error: refused }));
    }
    return partitions.map((partition) => {
      const error = refusedPartition(partition);
      return { partition, name: error === undefined ? named.found : undefined, error };
    });
  } catch (error) {
    const fields = partitionError(byId, surface.judge(error, "Fetch"));
    return partitions.map((partition) => ({ partition, name: undefined, error: fields }));
  }
}

function refusedPartition({ currentLeaderEpoch, fetchOffset }: Partition): ErrorFields | undefined {
  if (currentLeaderEpoch > LEADER_EPOCH) return kafkaError("UNKNOWN_LEADER_EPOCH");
  if (!Number.isSafeInteger(fetchOffset) || fetchOffset < 0) return kafkaError("OFFSET_OUT_OF_RANGE");
  return undefined;
}

async function read(asked: readonly Asked[], request: Request, call: Call): Promise<PartitionAnswer[]> {
  const { surface, version, signal } = call;
  const { responseBytes, waitMs } = call.connection.limits;
  const partitions = asked.flatMap(({ partition, name }): PartitionRead[] => {
    if (name === undefined) return [];
    const { partition: index, fetchOffset, partitionMaxBytes } = partition;
    return [{ ...name, partition: index, offset: fetchOffset, maxBytes: Math.min(partitionMaxBytes, responseBytes) }];
  });
  // What is wrong is told at once.
  const mayWait = partitions.length === asked.length && partitions.length > 0;
  const byId = version >= BY_ID_FROM;
  let results: (ReadResult | BrokerlessError)[];
  try {
    results = await surface.log.readMany({
      partitions,
      maxBytes: Math.min(request.maxBytes, responseBytes),
      minBytes: request.minBytes,
      isolation: request.isolationLevel === READ_COMMITTED ? "read_committed" : "read_uncommitted",
      maxWaitMs: mayWait ? Math.min(request.maxWaitMs, waitMs) : 0,
      signal,
    });
  } catch (error) {
    const failed = surface.judge(error, "Fetch");
    results = partitions.map(() => failed);
  }
  const inOrder = results.values();
  const isCommitted = request.isolationLevel === READ_COMMITTED;
  return asked.map(({ partition: { partition }, name, error }) => {
    if (name === undefined) return errorAnswer(partition, (error as ErrorFields).errorCode, {});
    const result = inOrder.next().value as ReadResult | BrokerlessError;
    if (result instanceof BrokerlessError) return errorAnswer(partition, partitionError(byId, result).errorCode, result.details);
    return recordsAnswer(partition, result, isCommitted);
  });
}

function recordsAnswer(partitionIndex: number, result: ReadResult, isCommitted: boolean): PartitionAnswer {
  const { logStartOffset, logEndOffset, lastStableOffset, aborted, batches } = result;
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: logEndOffset,
    lastStableOffset,
    logStartOffset,
    abortedTransactions: isCommitted ? aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })) : null,
    records: batches,
  };
}

/** Out of range: the answer says what the range is. */
function errorAnswer(partitionIndex: number, errorCode: number, details: Readonly<Record<string, unknown>>): PartitionAnswer {
  const { logStartOffset = -1, logEndOffset = -1 } = details as { logStartOffset?: number; logEndOffset?: number };
  return {
    partitionIndex,
    errorCode,
    highWatermark: logEndOffset,
    lastStableOffset: logEndOffset,
    logStartOffset,
    abortedTransactions: null,
    records: NO_RECORDS,
  };
}
