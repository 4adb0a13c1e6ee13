/** Kafka's record batches (magic 2), one after the other, as they are stored. */
export const RECORD_BATCH_TYPE = "application/vnd.kafka.recordbatch.v2";
