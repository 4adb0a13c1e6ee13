/** FindCoordinator: the one broker is everybody's; behind it is the table. */
import { findCoordinator } from "../../kafka/protocol/api/find-coordinator.ts";
import { mayGroup } from "../access.ts";
import { brokerOf } from "../broker.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaError, NO_ERROR } from "../errors.ts";

/** Kinds of keys: groups, transactional ids. */
const KEY_TYPES = [0, 1];
const GROUP = 0;
const FORBIDDEN = kafkaError("GROUP_AUTHORIZATION_FAILED");

export const findCoordinatorHandler: Handler = handlerOf(findCoordinator, async (request, call) => {
  const { connection, version } = call;
  const known = KEY_TYPES.includes(request.keyType);
  const denied = (key: string): boolean => request.keyType === GROUP && !mayGroup(call, "describe", key);
  const { nodeId, host, port } = known ? brokerOf(connection) : { nodeId: -1, host: "", port: -1 };
  const status = known
    ? NO_ERROR
    : kafkaError("INVALID_REQUEST", `coordinators of key type ${request.keyType} are not known here`);
  if (version < 4) return { ...(denied(request.key) ? FORBIDDEN : status), nodeId, host, port, coordinators: [] };
  return {
    errorCode: 0,
    nodeId,
    host,
    port,
    coordinators: request.coordinatorKeys.map((key) => ({
      key,
      nodeId,
      host,
      port,
      ...(denied(key) ? FORBIDDEN : status),
    })),
  };
});
