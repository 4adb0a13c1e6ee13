/** DescribeCluster (KIP-700). */
import { describeCluster } from "../../kafka/protocol/api/describe-cluster.ts";
import { clusterOperations } from "../access.ts";
import { brokerOf, NODE_ID, OPERATIONS_NOT_ASKED } from "../broker.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaError, NO_ERROR } from "../errors.ts";

/** Endpoints of brokers; there are none of controllers (KIP-919). */
const BROKERS = 1;

export const describeClusterHandler: Handler = handlerOf(describeCluster, async (request, call) => {
  const { surface, connection } = call;
  const { endpointType, includeClusterAuthorizedOperations } = request;
  const clusterId = await surface.log.clusterId();
  if (endpointType !== BROKERS) {
    return {
      ...kafkaError("UNSUPPORTED_ENDPOINT_TYPE", "only brokers have endpoints here"),
      endpointType,
      clusterId,
      brokers: [],
    };
  }
  const { nodeId, ...broker } = brokerOf(connection);
  return {
    ...NO_ERROR,
    clusterId,
    controllerId: NODE_ID,
    brokers: [{ ...broker, brokerId: nodeId, isFenced: false }],
    clusterAuthorizedOperations: includeClusterAuthorizedOperations ? clusterOperations(call) : OPERATIONS_NOT_ASKED,
  };
});
