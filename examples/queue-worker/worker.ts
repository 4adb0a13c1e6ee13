/**
 * A Lambda worker of a queue: a schedule starts it, it takes messages until there are none or its time is nearly over, and says in its
 * answer which ones failed, as a function behind SQS does. What failed is given back, and comes again; what fails as often as the group's
 * `share.delivery.count.limit` goes to the dead-letter topic. Bundle it with esbuild, and give it BROKERLESS_URL, BROKERLESS_TOKEN, QUEUE_GROUP and QUEUE_TOPIC.
 */
import { Brokerless, type Job, text } from "../../lib/client/index.ts";

interface Context {
  getRemainingTimeInMillis(): number;
}

interface Report {
  readonly done: number;
  readonly batchItemFailures: { readonly itemIdentifier: string; readonly deliveries: number; readonly reason: string }[];
}

/** Nothing new is taken so long before Lambda stops the process. */
const LEAVE_MS = 10_000;

const client = new Brokerless({
  url: process.env["BROKERLESS_URL"] ?? "http://127.0.0.1:8080",
  token: process.env["BROKERLESS_TOKEN"],
});
const queue = client.queue({
  group: process.env["QUEUE_GROUP"] ?? "thumbnails",
  topics: process.env["QUEUE_TOPIC"] ?? "uploads",
  waitMs: 0,
});

/** Drains the queue, ten at a time. */
export async function handler(_event: unknown, context: Context): Promise<Report> {
  const report: Report & { done: number } = { done: 0, batchItemFailures: [] };
  // What fails now is left for the next start: here it would come again at once.
  const failed = new Map<string, Job>();
  while (context.getRemainingTimeInMillis() > LEAVE_MS) {
    const jobs = await queue.receive();
    if (jobs.length === 0) break;
    const worked: Job[] = [];
    await Promise.all(
      jobs.map(async (job) => {
        try {
          await work(job);
          worked.push(job);
        } catch (error) {
          const id = `${job.topic}-${job.partition}-${job.offset}`;
          failed.set(id, job);
          const reason = error instanceof Error ? error.message : String(error);
          report.batchItemFailures.push({ itemIdentifier: id, deliveries: job.deliveryCount, reason });
        }
      }),
    );
    await queue.ack(worked);
    report.done += worked.length;
  }
  await queue.release([...failed.values()]);
  return report;
}

/** Stands for what a worker is there for. */
async function work(job: Job): Promise<void> {
  const name = text(job.value) ?? "";
  if (!/\.(png|jpg)$/.test(name)) throw new Error(`${name} is no picture`);
}
