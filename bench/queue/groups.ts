/** What a share group needs before it is measured over Kafka's protocol, on any server. */
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes, ProduceAcks, Producer } from "@platformatic/kafka";
import { VALUE_BYTES } from "./work.ts";

const IN_A_SEND = 500;

/** A topic of one partition with so many records. */
export async function fillOverKafka(kafka: string, topic: string, records: number): Promise<void> {
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [kafka], retries: 20 });
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
  await admin.close();
  const producer = new Producer({ clientId: "bench", bootstrapBrokers: [kafka], acks: ProduceAcks.ALL, retries: 20 });
  const value = Buffer.alloc(VALUE_BYTES, "v");
  for (let left = records; left > 0; left -= IN_A_SEND) {
    const messages = Array.from({ length: Math.min(left, IN_A_SEND) }, () => ({ topic, partition: 0, value }));
    await producer.send({ messages });
  }
  await producer.close();
}

/** A share group begins at the latest record unless it is told otherwise. */
export async function beginAtEarliest(kafka: string, group: string): Promise<void> {
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [kafka], retries: 20 });
  const config = {
    name: "share.auto.offset.reset",
    configOperation: IncrementalAlterConfigOperationTypes.SET,
    value: "earliest",
  };
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: ConfigResourceTypes.GROUP, resourceName: group, configs: [config] }],
  });
  await admin.close();
}
