/** ShareAcknowledge (KIP-932, KIP-1222): what became of records that a member holds. Durable when it is answered. */
import { shareAcknowledge } from "../../kafka/protocol/api/share-acknowledge.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaError } from "../errors.ts";
import {
  acknowledgeAll,
  acknowledgeAndClose,
  CLOSES,
  CURRENT_LEADER,
  grouped,
  OPENS,
  partitionOf,
  refusalsOf,
  sessionError,
  sharesFor,
} from "../shares.ts";

const API = "ShareAcknowledge";

export const shareAcknowledgeHandler: Handler = handlerOf(shareAcknowledge, async (request, call) => {
  const { topics, shareSessionEpoch: epoch, isRenewAck: renews } = request;
  const [group, holder] = [request.groupId ?? "", request.memberId ?? ""];
  const refused = { responses: [], nodeEndpoints: [] };
  if (epoch === OPENS)
    return { ...refused, ...kafkaError("INVALID_SHARE_SESSION_EPOCH", "a share session is opened by a ShareFetch request") };
  try {
    const shares = await sharesFor(call, "read", group);
    const asked = { group, holder, topics, renews };
    if (epoch !== CLOSES) await shares.session({ group, memberId: holder, epoch, add: [], forget: [] });
    const refusals = await refusalsOf(
      call,
      topics.map(({ topicId }) => topicId),
      API,
    );
    const acknowledge = epoch === CLOSES ? acknowledgeAndClose : acknowledgeAll;
    const answers = await acknowledge(shares, asked, refusals, call, API);
    return {
      errorCode: 0,
      acquisitionLockTimeoutMs: await shares.lockMs(group),
      responses: grouped(
        [...answers].map(([key, fields]) => [
          key,
          { partitionIndex: partitionOf(key), ...fields, currentLeader: CURRENT_LEADER },
        ]),
      ),
      nodeEndpoints: [],
    };
  } catch (error) {
    return { ...refused, ...sessionError(call, error, API) };
  }
});
