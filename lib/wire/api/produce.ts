/**
 * Produce: record batches as they came, each partition's to the log.
 *
 * Q1  Records of one connection and partition are appended in the order of their requests, though several requests may
 *     be under way: a request begins its appends, all at once, when the one before it has begun its own.
 * Q3  Batches of a transaction are appended only while it is open: its guards are read first, then it is looked at, then they
 *     are appended; again where it ended meanwhile (decision 005, T3).
 * Q2  With acks=0 there is no answer, but the request is not over before its records are durable or refused: so memory
 *     stays bounded. Where it failed the connection is closed, as Kafka does, so that the producer notices.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { produce } from "../../kafka/protocol/api/produce.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import type { AppendResult } from "../../log/types.ts";
import { may, topicForbidden } from "../access.ts";
import { type Call, type Handler, handlerOf, type Surface } from "../call.ts";
import { type ErrorFields, kafkaError } from "../errors.ts";
import { type NamedOrNot, partitionError, topicNameOf } from "../topic-names.ts";
import { TransactionGuards } from "../transactional-append.ts";

type Request = Decoded<typeof produce.request>;
type TopicData = Request["topicData"][number];
type PartitionAnswer = Encodable<typeof produce.response>["responses"][number]["partitionResponses"][number];
type Refusal = ErrorFields & Pick<PartitionAnswer, "recordErrors">;
type Outcome = AppendResult | Refusal;

const BY_ID_FROM = 13;

export const produceHandler: Handler = handlerOf(produce, async (request, call) => {
  const { acks, topicData, transactionalId } = request;
  const wrong = acks < -1 || acks > 1 ? INVALID_ACKS : transactionalId === "" ? INVALID_ID : undefined;
  const outcomes = wrong === undefined ? await append(topicData, transactionalId, call) : topicData.map(refuse(wrong));
  if (acks === 0) {
    const failed = outcomes.flat().find((outcome) => "errorCode" in outcome);
    if (failed !== undefined)
      throw new BrokerlessError("invalid_request", `records with acks=0 were lost: ${failed.errorMessage}`);
    return undefined;
  }
  return {
    responses: topicData.map(({ name, topicId, partitionData }, t) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }, p) => partitionAnswer(index, outcomes[t]?.[p] as Outcome)),
    })),
  };
});

const INVALID_ACKS = refusal(kafkaError("INVALID_REQUIRED_ACKS", "acks takes -1, 0 or 1"));
const INVALID_ID = refusal(kafkaError("INVALID_REQUEST", "a transactional id is not empty"));
const NO_RECORDS = refusal(kafkaError("INVALID_RECORD", "there is no record batch for this partition"));

function refusal(error: ErrorFields): Refusal {
  return { ...error, recordErrors: [] };
}

function refuse(error: Refusal): (data: TopicData) => Refusal[] {
  return ({ partitionData }) => partitionData.map(() => error);
}

async function append(topicData: readonly TopicData[], transactionalId: string | null, call: Call): Promise<Outcome[][]> {
  const { connection } = call;
  const before = connection.appendsBegun;
  const begun = Promise.withResolvers<void>();
  connection.appendsBegun = begun.promise;
  let appends: Promise<Outcome[]>[];
  try {
    const names = await Promise.all(topicData.map((data) => nameOf(data, call, transactionalId !== null)));
    await before;
    const guards = transactionalId === null ? undefined : new TransactionGuards(transactionalId, call);
    await guards?.read(topicData, names);
    appends = topicData.map((data, t) => appendTopic(data, names[t] as NamedOrNot, guards, call));
  } finally {
    begun.resolve();
  }
  return Promise.all(appends);
}

/**
 * Afterwards the log knows the topic, and an append begins before it first waits. `binds`: to the topic that has the name now, as a
 * guard is of one topic alone: records of a transaction in another would not be ended with it.
 */
async function nameOf({ name, topicId }: TopicData, call: Call, binds: boolean): Promise<NamedOrNot> {
  const { surface, version } = call;
  const byId = version >= BY_ID_FROM;
  try {
    const named = await topicNameOf(surface, byId, name, topicId);
    if ("error" in named) return named;
    const { topic } = named.found;
    if (!may(call, "write", topic)) return { error: topicForbidden("write", topic) };
    if (byId) return named;
    const { id } = await surface.log.topic(topic);
    return binds ? { found: { topic, topicId: id } } : named;
  } catch (error) {
    return { error: errorOf(surface, byId, error) };
  }
}

function appendTopic(
  data: TopicData,
  named: NamedOrNot,
  guards: TransactionGuards | undefined,
  { surface, version }: Call,
): Promise<Outcome[]> {
  if ("error" in named) return Promise.resolve(refuse(refusal(named.error))(data));
  return Promise.all(
    data.partitionData.map(async ({ index, records }): Promise<Outcome> => {
      if (records === null || records.byteLength === 0) return NO_RECORDS;
      try {
        const request = { ...named.found, partition: index, batches: records };
        return await (guards === undefined ? surface.log.append(request) : guards.append(request));
      } catch (error) {
        return errorOf(surface, version >= BY_ID_FROM, error);
      }
    }),
  );
}

/** Where one record is wrong, which one (KIP-467). */
function errorOf(surface: Surface, byId: boolean, thrown: unknown): Refusal {
  const error = surface.judge(thrown, "Produce");
  const batchIndex = error.details["recordIndex"];
  const recordErrors = typeof batchIndex === "number" ? [{ batchIndex, batchIndexErrorMessage: error.message }] : [];
  return { ...partitionError(byId, error), recordErrors };
}

function partitionAnswer(index: number, outcome: Outcome): PartitionAnswer {
  if ("errorCode" in outcome) return { index, ...outcome, baseOffset: -1 };
  const { baseOffset, logAppendTimeMs = -1, logStartOffset } = outcome;
  return { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset, recordErrors: [] };
}
