/** TxnOffsetCommit (KIP-98, KIP-447): offsets that are seen when the transaction commits. */
import { txnOffsetCommit } from "../../kafka/protocol/api/txn-offset-commit.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import { mayGroup } from "../access.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import { groupCodeOf, memberOf, topicFor } from "../groups.ts";
import { producerOf, transactionCodeOf, transactionsFor } from "../transactions.ts";

type Request = Decoded<typeof txnOffsetCommit.request>;

/** No version knows PRODUCER_FENCED: clients take INVALID_PRODUCER_EPOCH for the same. */
const NEVER = Number.POSITIVE_INFINITY;
/** From here on the group need not have been added before. */
const ADDS_FROM = 5;

export const txnOffsetCommitHandler: Handler = handlerOf(txnOffsetCommit, async (request, call) => {
  const found = await Promise.all(request.topics.map(({ name }) => topicFor(call, false, name, "", "read")));
  const offsets = request.topics.flatMap(({ name, partitions }, i) => {
    const one = found[i];
    return one === undefined || "error" in one
      ? []
      : partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
          topic: name,
          partition: partitionIndex,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? "",
        }));
  });
  const codes = await commit(request, offsets, call);
  let at = 0;
  return {
    topics: request.topics.map(({ name, partitions }, i) => {
      const one = found[i];
      return {
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: one !== undefined && "error" in one ? one.error.errorCode : (codes[at++] ?? 0),
        })),
      };
    }),
  };
});

interface Offset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** An error code for each offset. */
async function commit(request: Request, offsets: readonly Offset[], call: Call): Promise<number[]> {
  const { groupId: group, memberId, generationId, groupInstanceId } = request;
  if (!mayGroup(call, "read", group)) return offsets.map(() => kafkaError("GROUP_AUTHORIZATION_FAILED").errorCode);
  try {
    const member = memberOf(memberId, generationId, groupInstanceId);
    const transactions = await transactionsFor(call);
    const answers = await transactions.commitOffsets(producerOf(request), { group, member, offsets }, call.version >= ADDS_FROM);
    return answers.map(({ error }) => (error === undefined ? 0 : groupCodeOf(call, error, "TxnOffsetCommit")));
  } catch (error) {
    const code = transactionCodeOf(call, error, "TxnOffsetCommit", NEVER);
    return offsets.map(() => code);
  }
}
