/** A KafkaJS member of a group that can be killed: kafkajs-member.ts BROKER URL GROUP TOPIC; over HTTPS where there is a URL. Prints what it reads. */
import { Kafka, logLevel } from "kafkajs";
import { kafkaOverHttps } from "../../../lib/tunnel/kafkajs.ts";

const [broker = "", url = "", groupId = "", topic = ""] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: [broker],
  logLevel: logLevel.NOTHING,
  ...(url === "" ? {} : { socketFactory: kafkaOverHttps({ url }) }),
});
const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, maxWaitTimeInMs: 200 });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
consumer.on(consumer.events.GROUP_JOIN, () => console.log("joined"));
await consumer.run({ eachMessage: async ({ message }) => console.log(String(message.value)) });
