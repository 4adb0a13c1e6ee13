/**
 * The client in twenty lines: run a server (`npm start`), then `node examples/quickstart/quickstart.ts`.
 * In a project of yours the import is `from "brokerless/client"`.
 */
import { Brokerless, json, parseJson, text } from "../../lib/client/index.ts";

const client = new Brokerless({ url: process.env["BROKERLESS_URL"] ?? "http://127.0.0.1:8080" });
const topic = `orders-${Date.now()}`;
await client.admin.createTopic({ name: topic, partitions: 3 });

// Records of one key stay in order; every one is written once, whatever has to be tried again.
await using producer = client.producer();
const { partition, offset } = await producer.send({ topic, key: "ada", value: json({ item: "tea", amount: 2 }) });
console.log(`the order of ada is at offset ${offset} of partition ${partition}`);
await producer.sendBatch(["bob", "cyd", "ada"].map((key) => ({ topic, key, value: json({ item: "cup", amount: 1 }) })));

// Without `follow: false` the loop waits for what comes next.
for await (const record of client.reader({ topic, from: "earliest", follow: false })) {
  console.log(text(record.key), parseJson(record.value));
}
