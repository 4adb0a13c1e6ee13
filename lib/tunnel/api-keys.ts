/** What is known of requests by their API alone (https://kafka.apache.org/protocol#protocol_api_keys). */

const PRODUCE = 0;
const FETCH = 1;
const JOIN_GROUP = 11;
const SYNC_GROUP = 14;
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const SHARE_FETCH = 78;

/** Those that change nothing, however often they are asked. */
const READ_ONLY: ReadonlySet<number> = new Set([
  FETCH,
  2, // ListOffsets
  3, // Metadata: a topic that it makes is made once
  9, // OffsetFetch
  10, // FindCoordinator
  15, // DescribeGroups
  16, // ListGroups
  18, // ApiVersions
  23, // OffsetForLeaderEpoch
  32, // DescribeConfigs
  35, // DescribeLogDirs
  60, // DescribeCluster
  61, // DescribeProducers
  65, // DescribeTransactions
  66, // ListTransactions
  69, // ConsumerGroupDescribe
  74, // ListConfigResources
  75, // DescribeTopicPartitions
]);

/** Those that may be answered late on purpose. */
const WAITING: ReadonlySet<number> = new Set([FETCH, JOIN_GROUP, SYNC_GROUP, SHARE_FETCH]);

/** Would it change nothing if it were done twice? */
export function isReadOnly(apiKey: number): boolean {
  return READ_ONLY.has(apiKey);
}

export function mayWait(apiKey: number): boolean {
  return WAITING.has(apiKey);
}

/** May it have no answer (`acks=0`)? */
export function mayBeUnanswered(apiKey: number): boolean {
  return apiKey === PRODUCE;
}

export function isSasl(apiKey: number): boolean {
  return apiKey === SASL_HANDSHAKE || apiKey === SASL_AUTHENTICATE;
}
