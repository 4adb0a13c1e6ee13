/** From a frame to its answer: which API and version, its handler, and what becomes of errors. */
import { BrokerlessError } from "../base/errors.ts";
import { readRequest, readRequestHeader, writeResponse } from "../kafka/protocol/messages.ts";
import { type Encodable, has, type Shape } from "../kafka/protocol/schema.ts";
import { NO_METRICS } from "../ports/index.ts";
import { checkPrincipal } from "./access.ts";
import { addOffsetsToTxnHandler } from "./api/add-offsets-to-txn.ts";
import { addPartitionsToTxnHandler } from "./api/add-partitions-to-txn.ts";
import { alterConfigsHandler, incrementalAlterConfigsHandler } from "./api/alter-configs.ts";
import { alterShareGroupOffsetsHandler } from "./api/alter-share-group-offsets.ts";
import { answerUnknownVersion, apiVersionsHandler } from "./api/api-versions.ts";
import { consumerGroupDescribeHandler } from "./api/consumer-group-describe.ts";
import { consumerGroupHeartbeatHandler } from "./api/consumer-group-heartbeat.ts";
import { createPartitionsHandler } from "./api/create-partitions.ts";
import { createTopicsHandler } from "./api/create-topics.ts";
import { deleteGroupsHandler } from "./api/delete-groups.ts";
import { deleteRecordsHandler } from "./api/delete-records.ts";
import { deleteShareGroupOffsetsHandler } from "./api/delete-share-group-offsets.ts";
import { deleteTopicsHandler } from "./api/delete-topics.ts";
import { describeClusterHandler } from "./api/describe-cluster.ts";
import { describeConfigsHandler } from "./api/describe-configs.ts";
import { describeGroupsHandler } from "./api/describe-groups.ts";
import { describeLogDirsHandler } from "./api/describe-log-dirs.ts";
import { describeProducersHandler } from "./api/describe-producers.ts";
import { describeShareGroupOffsetsHandler } from "./api/describe-share-group-offsets.ts";
import { describeTopicPartitionsHandler } from "./api/describe-topic-partitions.ts";
import { describeTransactionsHandler } from "./api/describe-transactions.ts";
import { endTxnHandler } from "./api/end-txn.ts";
import { fetchHandler } from "./api/fetch.ts";
import { findCoordinatorHandler } from "./api/find-coordinator.ts";
import { heartbeatHandler } from "./api/heartbeat.ts";
import { initProducerIdHandler } from "./api/init-producer-id.ts";
import { joinGroupHandler } from "./api/join-group.ts";
import { leaveGroupHandler } from "./api/leave-group.ts";
import { listConfigResourcesHandler } from "./api/list-config-resources.ts";
import { listGroupsHandler } from "./api/list-groups.ts";
import { listOffsetsHandler } from "./api/list-offsets.ts";
import { listTransactionsHandler } from "./api/list-transactions.ts";
import { metadataHandler } from "./api/metadata.ts";
import { offsetCommitHandler } from "./api/offset-commit.ts";
import { offsetDeleteHandler } from "./api/offset-delete.ts";
import { offsetFetchHandler } from "./api/offset-fetch.ts";
import { offsetForLeaderEpochHandler } from "./api/offset-for-leader-epoch.ts";
import { produceHandler } from "./api/produce.ts";
import { answerBareSasl, saslAuthenticateHandler, saslHandshakeHandler } from "./api/sasl.ts";
import { shareAcknowledgeHandler } from "./api/share-acknowledge.ts";
import { shareFetchHandler } from "./api/share-fetch.ts";
import { shareGroupDescribeHandler } from "./api/share-group-describe.ts";
import { shareGroupHeartbeatHandler } from "./api/share-group-heartbeat.ts";
import { syncGroupHandler } from "./api/sync-group.ts";
import { txnOffsetCommitHandler } from "./api/txn-offset-commit.ts";
import type { Call, Handler, Surface } from "./call.ts";
import { TopicIds } from "./topic-ids.ts";
import type { KafkaApi, KafkaParts } from "./types.ts";

/** Every API that is answered. */
const HANDLERS: readonly Handler[] = [
  produceHandler,
  saslHandshakeHandler,
  saslAuthenticateHandler,
  fetchHandler,
  listOffsetsHandler,
  metadataHandler,
  apiVersionsHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  deleteRecordsHandler,
  initProducerIdHandler,
  offsetForLeaderEpochHandler,
  describeConfigsHandler,
  alterConfigsHandler,
  incrementalAlterConfigsHandler,
  describeLogDirsHandler,
  createPartitionsHandler,
  describeClusterHandler,
  describeProducersHandler,
  describeTopicPartitionsHandler,
  listConfigResourcesHandler,
];

/** Those that need groups. */
const GROUP_HANDLERS: readonly Handler[] = [
  findCoordinatorHandler,
  joinGroupHandler,
  syncGroupHandler,
  heartbeatHandler,
  leaveGroupHandler,
  offsetCommitHandler,
  offsetFetchHandler,
  offsetDeleteHandler,
  describeGroupsHandler,
  listGroupsHandler,
  deleteGroupsHandler,
  consumerGroupHeartbeatHandler,
  consumerGroupDescribeHandler,
];

/** Those that need transactions, and so groups. */
const TRANSACTION_HANDLERS: readonly Handler[] = [
  addPartitionsToTxnHandler,
  addOffsetsToTxnHandler,
  endTxnHandler,
  txnOffsetCommitHandler,
  describeTransactionsHandler,
  listTransactionsHandler,
];

/** Those that need share groups, and so groups. */
const SHARE_HANDLERS: readonly Handler[] = [
  shareGroupHeartbeatHandler,
  shareGroupDescribeHandler,
  shareFetchHandler,
  shareAcknowledgeHandler,
  describeShareGroupOffsetsHandler,
  alterShareGroupOffsetsHandler,
  deleteShareGroupOffsetsHandler,
];

/** Of the secret that makes up the salts of users that are not there. */
const PEPPER_BYTES = 32;

export function createKafkaApi(parts: KafkaParts): KafkaApi {
  const { log, groups, transactions, shares, clock, settings, auth, metrics = NO_METRICS, onInternalError = () => {} } = parts;
  const handlers = [
    ...HANDLERS,
    ...(groups === undefined ? [] : GROUP_HANDLERS),
    ...(transactions === undefined ? [] : TRANSACTION_HANDLERS),
    ...(shares === undefined ? [] : SHARE_HANDLERS),
  ];
  const byKey = new Map(handlers.map((handler) => [handler.api.key, { handler, labels: { api: handler.api.name } }]));
  const surface: Surface = {
    log,
    groups,
    transactions,
    shares,
    clock,
    metrics,
    settings,
    auth: auth && { ...auth, pepper: auth.ids.secret(PEPPER_BYTES) },
    topicIds: new TopicIds(log),
    handlers,
    judge(error, request) {
      if (error instanceof BrokerlessError) return error;
      onInternalError(error, request);
      return new BrokerlessError("internal", "an internal error; the server's log has the cause", {
        outcome: "unknown",
        cause: error,
      });
    },
  };
  return {
    async handle(frame, connection, signal) {
      if (connection.isSaslBare) return answerBareSasl(frame, connection, surface);
      const { apiKey, apiVersion, correlationId, clientId } = readRequestHeader(frame);
      const served = byKey.get(apiKey);
      if (served === undefined) throw unsupported(`Kafka API ${apiKey} is not served here`);
      const { handler, labels } = served;
      const { api, versions } = handler;
      if (!has(versions, apiVersion)) {
        if (handler === apiVersionsHandler) return answerUnknownVersion(surface, correlationId);
        throw unsupported(`${api.name} is served in versions ${versions[0]} to ${versions[1]}; ${apiVersion} was sent`);
      }
      await checkPrincipal(apiKey, connection, auth);
      const startedMs = clock.monotonicMs();
      const request = readRequest(api, frame);
      const call: Call = { surface, version: apiVersion, clientId, connection, signal };
      try {
        const answer = await handler.answer(request as never, call);
        return answer === undefined ? undefined : writeResponse(api, apiVersion, correlationId, answer as Encodable<Shape>);
      } catch (error) {
        throw surface.judge(error, `${api.name} v${apiVersion}`);
      } finally {
        metrics.observe("kafka_request_ms", clock.monotonicMs() - startedMs, labels);
      }
    },
  };
}

function unsupported(what: string): BrokerlessError {
  return new BrokerlessError("unsupported_version", what);
}
