/** The Kafka protocol over the log: what transports and composition roots use of it. */
export { createKafkaApi } from "./handle.ts";
export * from "./types.ts";
