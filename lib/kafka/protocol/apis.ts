/** The APIs of Kafka that are declared here, by their number. */
import { addOffsetsToTxn } from "./api/add-offsets-to-txn.ts";
import { addPartitionsToTxn } from "./api/add-partitions-to-txn.ts";
import { alterConfigs } from "./api/alter-configs.ts";
import { alterShareGroupOffsets } from "./api/alter-share-group-offsets.ts";
import { apiVersions } from "./api/api-versions.ts";
import { consumerGroupDescribe } from "./api/consumer-group-describe.ts";
import { consumerGroupHeartbeat } from "./api/consumer-group-heartbeat.ts";
import { createPartitions } from "./api/create-partitions.ts";
import { createTopics } from "./api/create-topics.ts";
import { deleteGroups } from "./api/delete-groups.ts";
import { deleteRecords } from "./api/delete-records.ts";
import { deleteShareGroupOffsets } from "./api/delete-share-group-offsets.ts";
import { deleteTopics } from "./api/delete-topics.ts";
import { describeCluster } from "./api/describe-cluster.ts";
import { describeConfigs } from "./api/describe-configs.ts";
import { describeGroups } from "./api/describe-groups.ts";
import { describeLogDirs } from "./api/describe-log-dirs.ts";
import { describeProducers } from "./api/describe-producers.ts";
import { describeShareGroupOffsets } from "./api/describe-share-group-offsets.ts";
import { describeTopicPartitions } from "./api/describe-topic-partitions.ts";
import { describeTransactions } from "./api/describe-transactions.ts";
import { endTxn } from "./api/end-txn.ts";
import { fetch } from "./api/fetch.ts";
import { findCoordinator } from "./api/find-coordinator.ts";
import { heartbeat } from "./api/heartbeat.ts";
import { incrementalAlterConfigs } from "./api/incremental-alter-configs.ts";
import { initProducerId } from "./api/init-producer-id.ts";
import { joinGroup } from "./api/join-group.ts";
import { leaveGroup } from "./api/leave-group.ts";
import { listConfigResources } from "./api/list-config-resources.ts";
import { listGroups } from "./api/list-groups.ts";
import { listOffsets } from "./api/list-offsets.ts";
import { listTransactions } from "./api/list-transactions.ts";
import { metadata } from "./api/metadata.ts";
import { offsetCommit } from "./api/offset-commit.ts";
import { offsetDelete } from "./api/offset-delete.ts";
import { offsetFetch } from "./api/offset-fetch.ts";
import { offsetForLeaderEpoch } from "./api/offset-for-leader-epoch.ts";
import { produce } from "./api/produce.ts";
import { saslAuthenticate } from "./api/sasl-authenticate.ts";
import { saslHandshake } from "./api/sasl-handshake.ts";
import { shareAcknowledge } from "./api/share-acknowledge.ts";
import { shareFetch } from "./api/share-fetch.ts";
import { shareGroupDescribe } from "./api/share-group-describe.ts";
import { shareGroupHeartbeat } from "./api/share-group-heartbeat.ts";
import { syncGroup } from "./api/sync-group.ts";
import { txnOffsetCommit } from "./api/txn-offset-commit.ts";
import type { Api, Shape } from "./schema.ts";

export const APIS: readonly Api<Shape, Shape>[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  txnOffsetCommit,
  offsetForLeaderEpoch,
  describeConfigs,
  alterConfigs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  offsetDelete,
  describeCluster,
  describeProducers,
  describeTransactions,
  listTransactions,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  listConfigResources,
  describeTopicPartitions,
  shareGroupHeartbeat,
  shareGroupDescribe,
  shareFetch,
  shareAcknowledge,
  describeShareGroupOffsets,
  alterShareGroupOffsets,
  deleteShareGroupOffsets,
];
