/**
 * A member of a group that can be killed: member.ts kafkajs|classic|consumer BROKER GROUP TOPIC [URL]; the protocols are those of
 * @platformatic/kafka, a URL is where KafkaJS goes over HTTPS. Says that it has joined, and prints what it reads.
 */
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { Kafka, logLevel } from "kafkajs";
import { kafkaOverHttps } from "../../../lib/tunnel/kafkajs.ts";

const [kind, broker = "", groupId = "", topic = "", url] = process.argv.slice(2);
const show = (line: string): void => void process.stdout.write(`${line}\n`);

async function kafkajs(): Promise<void> {
  const way = url === undefined ? {} : { socketFactory: kafkaOverHttps({ url }) };
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, ...way });
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  consumer.on(consumer.events.GROUP_JOIN, () => show("joined"));
  await consumer.run({ eachMessage: async ({ message }) => show(String(message.value)) });
}

async function platformatic(groupProtocol: "classic" | "consumer"): Promise<void> {
  const consumer = new Consumer({
    clientId: "member",
    groupId,
    groupProtocol,
    bootstrapBrokers: [broker],
    deserializers: stringDeserializers,
    ...(groupProtocol === "classic" ? { sessionTimeout: 6000, heartbeatInterval: 500 } : {}),
    maxWaitTime: 200,
    retries: 3,
  });
  const stream = await consumer.consume({ topics: [topic], mode: "committed", fallbackMode: "earliest", autocommit: false });
  show("joined");
  for await (const message of stream) {
    show(message.value);
    await message.commit();
  }
}

await (kind === "kafkajs" ? kafkajs() : platformatic(kind as "classic" | "consumer"));
