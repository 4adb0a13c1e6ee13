/** What clients are told of the cluster: one broker, which leads every partition; behind it is the storage. */
import type { ConnectionState } from "./types.ts";

export const NODE_ID = 0;
/** There is one leader of a partition for all time: its head. */
export const LEADER_EPOCH = 0;
export const NODES: readonly number[] = [NODE_ID];

export function brokerOf({ advertised: { host, port } }: ConnectionState) {
  return { nodeId: NODE_ID, host, port, rack: null };
}

/** Numbers of Kafka's AclOperation. */
const OPERATION = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

function bits(...operations: (keyof typeof OPERATION)[]): number {
  return operations.reduce((set, operation) => set | (1 << OPERATION[operation]), 0);
}

/** What may be done, as a set of bits (KIP-430). */
export const TOPIC_OPERATIONS = {
  describe: bits("describe", "describeConfigs"),
  read: bits("read"),
  write: bits("write"),
  admin: bits("create", "delete", "alter", "alterConfigs"),
} as const;
export const CLUSTER_OPERATIONS = {
  describe: bits("describe"),
  admin: bits("create", "alter", "clusterAction", "describeConfigs", "alterConfigs", "idempotentWrite"),
} as const;
export const GROUP_OPERATIONS = {
  describe: bits("describe", "describeConfigs"),
  read: bits("read"),
  write: 0,
  admin: bits("delete", "alterConfigs"),
} as const;
/** Nobody asked. */
export const OPERATIONS_NOT_ASKED = -2_147_483_648;
