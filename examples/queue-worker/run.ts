/** Starts the worker by hand, as the schedule would, until a message that cannot be worked on is a dead letter. */
import { Brokerless } from "../../lib/client/index.ts";
import { handler } from "./worker.ts";

const client = new Brokerless({ url: process.env["BROKERLESS_URL"] ?? "http://127.0.0.1:8080" });
await client.admin.createTopic({ name: "uploads", partitions: 2 });
await client.groups.alterConfigs("thumbnails", {
  "errors.deadletterqueue.topic.name": "uploads.dead",
  "share.delivery.count.limit": "3",
});
const producer = client.producer();
await Promise.all(["a.png", "b.jpg", "virus.exe", "c.png"].map((value) => producer.send({ topic: "uploads", value })));
await producer.close();

for (let start = 1; start <= 3; start++) {
  const { done, batchItemFailures } = await handler({}, { getRemainingTimeInMillis: () => 60_000 });
  console.log(
    `start ${start}: ${done} done, failed: ${batchItemFailures.map(({ reason, deliveries }) => `${reason} (${deliveries})`)}`,
  );
}
const { depth, deadLetters } = await client.queues.stats("thumbnails");
console.log(`left: ${depth}, dead letters: ${deadLetters}`);
