/**
 * ShareFetch (KIP-932): records to work on, and what became of those before, in one request. The acknowledgements are durable before
 * records are looked for; the records are acquired before they are answered. An answer that is lost leaves them locked, until the lock
 * runs out and they are given again, with a higher delivery count.
 */
import type { AcquiredPartition, ShareGroupsApi } from "../../groups/share/types.ts";
import { KAFKA_ERRORS } from "../../kafka/index.ts";
import { shareFetch } from "../../kafka/protocol/api/share-fetch.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaError, NO_ERROR } from "../errors.ts";
import { acquireEnough, cutRanges, type Gathered } from "../share-acquire.ts";
import {
  acknowledgeAll,
  acknowledgeAndClose,
  CLOSES,
  CURRENT_LEADER,
  grouped,
  OPENS,
  partitionKey,
  partitionOf,
  partitionsIn,
  refusalsOf,
  sessionError,
  shareError,
  sharesFor,
} from "../shares.ts";
import { partitionError } from "../topic-names.ts";

type Request = Decoded<typeof shareFetch.request>;
type Answer = Encodable<typeof shareFetch.response>;
type PartitionAnswer = Answer["responses"][number]["partitions"][number];

const API = "ShareFetch";
const NOTHING = { acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] };
const NO_RECORDS: readonly Uint8Array[] = [];

export const shareFetchHandler: Handler = handlerOf(shareFetch, async (request, call): Promise<Answer> => {
  const wrong = wrongIn(request);
  if (wrong !== undefined) return { ...NOTHING, ...kafkaError("INVALID_REQUEST", wrong) };
  const { topics, forgottenTopicsData, shareSessionEpoch: epoch, isRenewAck: renews } = request;
  const [group, holder] = [request.groupId ?? "", request.memberId ?? ""];
  const asked = { group, holder, topics, renews };
  const named = topics.map(({ topicId }) => topicId);
  let shares: ShareGroupsApi;
  let acknowledged: Map<string, ErrorFields>;
  let partitions: Awaited<ReturnType<ShareGroupsApi["session"]>>;
  let refusals: Awaited<ReturnType<typeof refusalsOf>>;
  try {
    shares = await sharesFor(call, "read", group);
    if (epoch === CLOSES) {
      const answers = await acknowledgeAndClose(shares, asked, await refusalsOf(call, named, API), call, API);
      return answerOf(answers, [], new Map(), await shares.lockMs(group), request);
    }
    const forget = forgottenTopicsData.flatMap(({ topicId, partitions: some }) =>
      some.map((partition) => ({ topicId, partition })),
    );
    partitions = await shares.session({ group, memberId: holder, epoch, add: partitionsIn(topics), forget });
    refusals = await refusalsOf(call, [...named, ...partitions.map(({ topicId }) => topicId)], API);
    acknowledged = await acknowledgeAll(shares, asked, refusals, call, API);
  } catch (error) {
    return { ...NOTHING, ...sessionError(call, error, API) };
  }
  const refused = new Map<string, ErrorFields>();
  for (const one of partitions) {
    const refusal = refusals.get(one.topicId);
    if (refusal !== undefined) refused.set(partitionKey(one), refusal);
  }
  try {
    const readable = renews ? [] : partitions.filter((one) => !refused.has(partitionKey(one)));
    // What is wrong is told at once.
    const mayWait = refused.size === 0 && [...acknowledged.values()].every(({ errorCode }) => errorCode === 0);
    const given = await acquire(shares, readable, mayWait, request, call);
    return answerOf(acknowledged, given.partitions, refused, given.lockMs, request);
  } catch (error) {
    // How the acknowledgements went is known, and told.
    const failed = answerOf(acknowledged, [], refused, await shares.lockMs(group).catch(() => 0), request);
    if (acknowledged.size > 0) return failed;
    return { ...failed, ...shareError(call, error, API) };
  }
});

function wrongIn(request: Request): string | undefined {
  const { topics, shareSessionEpoch, isRenewAck, maxWaitMs, minBytes, maxBytes, maxRecords } = request;
  const acknowledges = topics.some(({ partitions }) => partitions.some((one) => one.acknowledgementBatches.length > 0));
  if (shareSessionEpoch === OPENS && acknowledges) return "a request that opens a share session has acknowledgements";
  if (isRenewAck && (maxWaitMs !== 0 || minBytes !== 0 || maxBytes !== 0 || maxRecords !== 0))
    return "a request that renews locks asks for records too: max_wait_ms, min_bytes, max_bytes and max_records must be 0";
  return undefined;
}

async function acquire(
  shares: ShareGroupsApi,
  partitions: Awaited<ReturnType<ShareGroupsApi["session"]>>,
  mayWait: boolean,
  request: Request,
  { connection, surface, signal }: Call,
): Promise<Gathered> {
  const group = request.groupId ?? "";
  const { responseBytes, waitMs } = connection.limits;
  const { maxRecords, minBytes, maxWaitMs } = request;
  const maxBytes = Math.min(request.maxBytes, responseBytes);
  if (partitions.length === 0 || maxRecords <= 0 || maxBytes <= 0) return { partitions: [], lockMs: await shares.lockMs(group) };
  return acquireEnough(
    shares,
    {
      group,
      holder: request.memberId ?? "",
      partitions,
      maxRecords,
      maxBytes,
      minBytes,
      maxWaitMs: mayWait ? Math.max(0, Math.min(maxWaitMs, waitMs)) : 0,
      signal,
    },
    surface.clock,
  );
}

/** Only partitions with something to say. */
function answerOf(
  acknowledged: ReadonlyMap<string, ErrorFields>,
  given: readonly AcquiredPartition[],
  refused: ReadonlyMap<string, ErrorFields>,
  lockMs: number,
  { batchSize }: Request,
): Answer {
  const acquired = new Map(given.map((one) => [partitionKey(one), one]));
  const keys = new Set([...acquired.keys(), ...refused.keys(), ...acknowledged.keys()]);
  const answers = [...keys].map((key): [string, PartitionAnswer] => {
    const its = acquired.get(key);
    const told = acknowledged.get(key) ?? NO_ERROR;
    const error = its?.error === undefined ? refused.get(key) : fetchError(partitionError(true, its.error));
    return [
      key,
      {
        partitionIndex: partitionOf(key),
        ...(error ?? NO_ERROR),
        acknowledgeErrorCode: told.errorCode,
        acknowledgeErrorMessage: told.errorMessage,
        currentLeader: CURRENT_LEADER,
        records: its?.batches ?? NO_RECORDS,
        acquiredRecords: cutRanges(its?.acquired ?? [], batchSize),
      },
    ];
  });
  return { errorCode: 0, acquisitionLockTimeoutMs: lockMs, responses: grouped(answers), nodeEndpoints: [] };
}

/** A client breaks at any other code for a partition. */
const TAKEN: ReadonlySet<number> = new Set(
  (
    [
      "UNKNOWN_TOPIC_OR_PARTITION",
      "UNKNOWN_TOPIC_ID",
      "TOPIC_AUTHORIZATION_FAILED",
      "NOT_LEADER_OR_FOLLOWER",
      "CORRUPT_MESSAGE",
      "UNKNOWN_SERVER_ERROR",
    ] as const
  ).map((name) => KAFKA_ERRORS[name].code),
);

function fetchError(fields: ErrorFields): ErrorFields {
  return TAKEN.has(fields.errorCode) ? fields : { ...fields, errorCode: KAFKA_ERRORS.KAFKA_STORAGE_ERROR.code };
}
